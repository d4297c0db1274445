"""The page that runs an export in a browser, its runtimes, and a server for it."""
