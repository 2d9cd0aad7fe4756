#!/bin/sh
# The browser tests need a Chromium: the one that is there, else Debian's package if that can be installed.
set -eu
for name in chromium chromium-browser google-chrome; do
  if command -v "$name" >/dev/null 2>&1; then exit 0; fi
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
  echo 'Installing Chromium from the Debian packages, for the browser tests …'
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null
  exit 0
fi
echo 'The browser tests need Chromium: install the package "chromium" and run this again.' >&2
exit 1
