"""Writes schemas.cpp: every schema, compact, under its file name (see tools/schemas.h).

With --list FOLDER it prints the names of the schemas there, for meson.
"""
import glob
import json
import os
import sys


def main(output, inputs):
    lines = ['#include "tools/schemas.h"', "", "namespace mahavishnu::tools {", "",
             "const SchemaText kSchemas[] = {"]
    for path in sorted(inputs):
        with open(path, encoding="utf-8") as source:
            text = json.dumps(json.load(source), separators=(",", ":"), ensure_ascii=False)
        lines.append('    {"%s", R"schema(%s)schema"},' % (os.path.basename(path), text))
    lines += ['    {nullptr, nullptr},', "};", "", "}  // namespace mahavishnu::tools", ""]
    with open(output, "w", encoding="utf-8") as target:
        target.write("\n".join(lines))


if sys.argv[1] == "--list":
    for found in sorted(glob.glob(os.path.join(sys.argv[2], "*.json"))):
        print(os.path.basename(found))
else:
    main(sys.argv[1], sys.argv[2:])
