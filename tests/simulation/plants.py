"""Every fault planted in core and shell is found: plants.py simulate-plants [SECONDS].

Runs the simulation once a plant until it finds it, at most SECONDS (60); the same seeds without a
plant find nothing. The last line is "N passed, M failed".
"""
import re
import subprocess
import sys
import time

LAST = 12


def main(program, seconds):
    passed = failed = 0
    for plant in range(1, LAST + 1):
        begun = time.monotonic()
        done = subprocess.run([program, "--seconds", str(seconds), "--plant", str(plant)], text=True,
                              stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, check=False,
                              timeout=seconds * 3 + 60)
        said = re.search(r"^seed (\d+): (.*)$", done.stdout, re.MULTILINE)
        took = time.monotonic() - begun
        if done.returncode == 1 and said:
            passed += 1
            print(f"  plant {plant:2}: seed {said[1]}, {took:.1f} s: {said[2]}")
        else:
            failed += 1
            print(f"  plant {plant:2}: not found in {took:.1f} s\n{done.stdout[-2000:]}")
    clean = subprocess.run([program, "--seconds", str(min(seconds, 10))], text=True, check=False,
                           stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    print("  without:  " + clean.stdout.strip().splitlines()[-1])
    passed += clean.returncode == 0
    failed += clean.returncode != 0
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 60))
