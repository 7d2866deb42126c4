# shellcheck shell=bash
# Sourced: runs named steps one after the other, with headings and times. A
# failed step does not keep the next from running; `finish_steps` fails then.

failed_steps=()

# step NAME COMMAND…
step() {
  local name=$1 started=$SECONDS
  shift
  printf '\n==> %s\n' "$name"
  if "$@" </dev/null; then
    printf '==> %s: ok (%s s)\n' "$name" $((SECONDS - started))
  else
    printf '==> %s: FAILED (%s s)\n' "$name" $((SECONDS - started))
    failed_steps+=("$name")
  fi
}

finish_steps() {
  if [ ${#failed_steps[@]} -gt 0 ]; then
    printf '\nFAILED:\n'
    printf '  %s\n' "${failed_steps[@]}"
    exit 1
  fi
  printf '\nall ok (%s s)\n' "$SECONDS"
}
