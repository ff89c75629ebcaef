#!/bin/sh
# Runs a script with the first Node of the PATH that is new enough and can run on this machine: `sh scripts/node.sh FILE ARGS`.
# npm puts node_modules/.bin first, whose Node is one for Linux on x64 with glibc; on Alpine it ends with 127.
root=$(dirname "$0")/..
wanted=$(sed -n 's/.*"node": ">=\([0-9]*\.[0-9]*\)".*/\1/p' "$root/package.json")
major=${wanted%.*}
minor=${wanted#*.}
seen=

set -f
IFS=:
for directory in $PATH; do
  node=${directory:-.}/node
  [ -x "$node" ] || continue
  version=$("$node" --version 2>/dev/null) || version=
  case $version in
    v[0-9]*.[0-9]*)
      version=${version#v}
      its_minor=${version#*.}
      its_minor=${its_minor%%.*}
      if [ "${version%%.*}" -gt "$major" ] || { [ "${version%%.*}" -eq "$major" ] && [ "$its_minor" -ge "$minor" ]; }; then
        unset IFS
        exec "$node" "$@"
      fi
      seen="$seen, $node is $version"
      ;;
    *) seen="$seen, $node cannot run on this machine" ;;
  esac
done
echo "Node.js $wanted or newer is needed, and none is in the PATH${seen:+ (${seen#, })}: install it from https://nodejs.org or as the image node:24-alpine." >&2
exit 1
