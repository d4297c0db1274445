// Rules of the page's own JavaScript: `npx eslint --config .ci/eslint.config.mjs export/web`
const globals = Object.fromEntries([
  "ImageData", "TextDecoder", "URL", "URLSearchParams", "WebAssembly", "addEventListener", "atob",
  "btoa", "clearTimeout", "console", "createImageBitmap", "document", "fetch", "location",
  "navigator", "performance", "requestAnimationFrame", "self", "setInterval", "setTimeout",
  "window",
].map((name) => [name, "readonly"]));

export default [{
  files: ["**/*.js"],
  languageOptions: { ecmaVersion: 2022, sourceType: "module", globals },
  linterOptions: { reportUnusedDisableDirectives: "error" },
  rules: Object.fromEntries([
    "eqeqeq", "no-const-assign", "no-dupe-keys", "no-empty", "no-eval", "no-implied-eval",
    "no-import-assign", "no-new-func", "no-redeclare", "no-script-url", "no-shadow", "no-undef",
    "no-unreachable", "no-unused-vars", "no-var", "prefer-const", "valid-typeof",
  ].map((rule) => [rule, "error"])),
}];
