"""The house: who may import whom, what library code leaves to others, sizes."""

import ast
import pathlib

ROOT = pathlib.Path(__file__).parent.parent
FILES = {
    path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
    for package in ("tfgen", "export")
    for path in sorted((ROOT / package).rglob("*.py"))
}

# Arrows point down: a module imports from floors below its own, and from its own floor.
FLOORS = (
    (
        *("errors", "files", "names", "progress", "_compat", "attributions"),
        *("replicas", "sizes", "degradations"),
    ),
    (
        *("layers", "networks", "distributions", "losses", "penalties"),
        *("augmentation", "auxiliary", "optimizers"),
    ),
    ("models", "data"),
    ("inference", "presets", "callbacks", "metrics", "figures", "latent"),
    ("training", "evaluation"),
    ("cli",),
)
FLOOR = {name: i for i, names in enumerate(FLOORS) for name in names}
# And these are walls within what the floors allow.
WALLS = {
    "models": ("networks", "data"),
    "layers": ("networks", "models"),
    "distributions": ("networks", "models"),
    **dict.fromkeys(("data", "callbacks"), ("models",)),
    **dict.fromkeys(("metrics", "figures"), ("models", "data")),
    "latent": ("models", "data", "networks"),
}


EXPORTING = ("tfgen/training/exporting.py",)  # what `Run.export` calls


def imported(tree):
    """Yields the modules that a file imports, those within functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room_of(module):
    """Returns the part of tfgen that a dotted name is in; None for tfgen itself."""
    _, *rest = module.split(".")
    return rest[0] if rest and rest[0] in FLOOR else None


def tfgen_files(*rooms):
    for name, tree in FILES.items():
        package, room = name.removesuffix(".py").split("/")[:2]
        if package == "tfgen" and (room in rooms or not rooms):
            yield name, tree


def assert_none(faults):
    assert sorted(set(faults)) == []


def test_every_part_of_tfgen_has_a_floor():
    rooms = {name.split("/")[1].removesuffix(".py") for name, _ in tfgen_files()}
    assert_none(rooms - {"__init__"} - set(FLOOR))


def test_imports_point_down():
    faults = []
    for name, tree in tfgen_files(*FLOOR):
        room = room_of(name.removesuffix(".py").replace("/", "."))
        for module in imported(tree):
            other = room_of(module) if module.startswith("tfgen.") else None
            if other is None or other == room:
                continue
            if FLOOR[other] > FLOOR[room] or other in WALLS.get(room, ()):
                faults.append(f"{name} -> {other}")
    assert_none(faults)


def test_export_stands_alone_and_few_import_it():
    faults = []
    for name, tree in FILES.items():
        roots = {module.split(".")[0] for module in imported(tree)}
        if name.startswith("export/") and "tfgen" in roots:
            faults.append(f"{name} -> tfgen")
        is_door = name.startswith("tfgen/cli/") or name in EXPORTING
        if name.startswith("tfgen/") and "export" in roots and not is_door:
            faults.append(f"{name} -> export")
    assert_none(faults)


def test_modules_do_not_import_each_other_in_a_circle():
    """Imports within functions count: they hide a circle, they do not open it."""
    names = {
        n.removesuffix(".py").replace("/", ".").removesuffix(".__init__"): t
        for n, t in FILES.items()
    }
    graph = {}
    for name, tree in names.items():
        modules = set()
        for module in imported(tree):
            known = module if module in names else module.rpartition(".")[0]
            if known in names and known not in ("tfgen", "export", name):
                modules.add(known)
        graph[name] = modules
    assert_none(find_circles(graph))


def find_circles(graph):
    """Returns the strongly connected components of more than one module (Tarjan)."""
    index, low, stack, circles = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in graph[node]:
            if other not in index:
                visit(other)
            if other in stack:
                low[node] = min(low[node], low[other])
        if low[node] == index[node]:
            members = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(members) > 1:
                circles.append(" ".join(sorted(members)))

    for node in graph:
        if node not in index:
            visit(node)
    return circles


# ---- What library code leaves to others ----------------------------------------------


def test_only_the_command_line_knows_click_and_rich():
    faults = [
        name
        for name, tree in FILES.items()
        if not name.startswith("tfgen/cli/")
        and {"click", "rich"} & {module.split(".")[0] for module in imported(tree)}
    ]
    assert_none(faults)


def test_library_code_prints_nothing():
    writing = ("print", "click.echo", "sys.stdout.write", "sys.stderr.write")
    faults = [
        name
        for name, tree in FILES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in writing
        if not name.startswith("tfgen/cli/")
    ]
    assert_none(faults)


FOREIGN = ("tensorflow.python", "keras.src", "tensorflow_datasets.core.")
DOCUMENTED = {"_asdict", "_fields", "_replace", "_make", "_exit"}  # of Python


def test_private_parts_of_others_have_one_door():
    trees = dict(tfgen_files())
    del trees["tfgen/_compat.py"]
    nodes = [(name, node) for name, tree in trees.items() for node in ast.walk(tree)]
    own = DOCUMENTED | {
        node.name for _, node in nodes if isinstance(node, ast.FunctionDef)
    }
    own |= {node.id for _, node in nodes if isinstance(node, ast.Name)}
    attributes = [(n, node) for n, node in nodes if isinstance(node, ast.Attribute)]
    own |= {
        node.attr
        for _, node in attributes
        if isinstance(node.ctx, ast.Store)
        and ast.unparse(node.value) in ("self", "cls")
    }
    faults = [
        f"{name}: {node.attr}"
        for name, node in attributes
        if is_private(node.attr) and node.attr not in own
    ]
    for name, tree in trees.items():
        faults += [f"{name}: {m}" for m in imported(tree) if m.startswith(FOREIGN)]
    assert_none(faults)


def test_private_names_stay_in_their_file():
    """What another module needs has a public name; `_compat` and its like are doors."""
    faults = [
        f"{name}: {module}"
        for name, tree in FILES.items()
        for module in imported(tree)
        if module.split(".")[0] in ("tfgen", "export")
        if is_private(last := module.rpartition(".")[2])
        and last not in ("_compat", "_staging")
    ]
    assert_none(faults)


def is_private(name):
    return name.startswith("_") and not name.startswith("__")


# ---- Sizes ---------------------------------------------------------------------------


def test_no_file_is_long():
    faults = [
        name
        for name in FILES
        if len((ROOT / name).read_text(encoding="utf-8").splitlines()) >= 300
    ]
    assert_none(faults)


def test_no_function_is_long():
    """At most 45 lines, the docstring not counted."""
    faults = []
    for name, tree in FILES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                first = node.body[0]
                if ast.get_docstring(node) and len(node.body) > 1:
                    first = node.body[1]
                if node.end_lineno - first.lineno >= 45:
                    faults.append(f"{name}: {node.name}")
    assert_none(faults)
