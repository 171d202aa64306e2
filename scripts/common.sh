# Sourced by the scripts beside it: where the checkout is, and steps that say which of them failed.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
script=scripts/$(basename -- "$0")

say() { printf '%s\n' "$*" >&2; }

# step WHAT COMMAND…: runs the command; when it fails, says which step that was and ends.
step() {
  step_name=$1
  shift
  "$@" || {
    code=$?
    say "$script: step failed: $step_name (exit code $code)"
    exit 1
  }
}

# build TARGET…: configures once, then builds what changed; says nothing when nothing did.
build() {
  if [ ! -f "$root/build/build.ninja" ]; then
    say "Configuring build/ …"
    (cd "$root" && meson setup build >build-setup.log.tmp 2>&1) || {
      cat "$root/build-setup.log.tmp" >&2
      rm -rf "$root/build" "$root/build-setup.log.tmp"
      return 1
    }
    rm -f "$root/build-setup.log.tmp"
    say "Building (the first time takes some minutes) …"
  fi
  build_log=$(mktemp)
  if [ -t 2 ]; then
    ninja -C "$root/build" "$@" >&2 && build_code=0 || build_code=$?
  else
    ninja -C "$root/build" "$@" >"$build_log" 2>&1 && build_code=0 || build_code=$?
    [ "$build_code" -eq 0 ] || tail -n 60 "$build_log" >&2
  fi
  rm -f "$build_log"
  return "$build_code"
}
