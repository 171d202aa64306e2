"""Fails where a `co_await` makes an aggregate in its own expression: g++ 12 copies such an object by bytes, and
what owns memory in it (a std::string is enough) is freed twice. Name it on a line of its own first.

    co_await f({});            co_await f(Filter{name});            co_await f(first ? A{} : B{});

Types that own nothing stand in PLAIN."""
import os
import re
import sys

PLAIN = {"Wait", "Millis", "BatchId"}
AWAITED = re.compile(r"\bco_await\b([^;]*);")
TEXT = re.compile(r'R"\((?:.|\n)*?\)"|"(?:[^"\\\n]|\\.)*"')
MADE = re.compile(r"[(,?:]\s*(?:[\w]+::)*(\w*)\s*\{")


def violations(root):
    for top in ("src", "tools"):
        for folder, _, names in os.walk(os.path.join(root, top)):
            for name in sorted(names):
                if name.endswith((".h", ".cpp")):
                    path = os.path.join(folder, name)
                    with open(path, encoding="utf-8") as source:
                        yield from check(os.path.relpath(path, root), source.read())


def check(relative, text):
    text = TEXT.sub('""', text)
    for found in AWAITED.finditer(text):
        for made in MADE.finditer(found.group(1)):
            if made.group(1) not in PLAIN:
                number = text.count("\n", 0, found.start()) + 1
                yield f"{relative}:{number}: made inside co_await: {' '.join(found.group(0).split())}"


def checks_itself():
    """A check that cannot fail is none."""
    bad = ["co_await f({}, page);", "co_await a.f(page, Filter{name});", "x = co_await f(\n  domain::Filter{});",
           "co_await f(on ? A{} : b);"]
    good = ['co_await f(R"({"id":1})");', "co_await f(id, Wait{left, true});", "if (co_await f(a)) {",
            "co_await f(base::Millis{5});"]
    return all(list(check("x", text)) for text in bad) and not any(list(check("x", text)) for text in good)


def main(root):
    if not checks_itself():
        print("the check does not find what it is for")
        return 1
    found = list(violations(root))
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
