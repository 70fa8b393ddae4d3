#!/bin/sh
# Checks the types of the explorer's modules and tests its page in Chromium: test_browser.sh ELBO [FILE.test.js...]. What it takes from npm
# (playwright-core, typescript, axe-core; versions and checksums in package-lock.json) goes to tests/browser/node_modules; elbo itself needs none of it.
set -eu
ELBO=$1
shift
export ELBO CHROMIUM="${CHROMIUM:-$(command -v chromium || command -v chromium-browser)}"
cd "$(dirname "$0")/../tests/browser"
if ! cmp -s package-lock.json node_modules/.lock; then
    PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --no-audit --no-fund --loglevel=error
    cp package-lock.json node_modules/.lock
fi
node_modules/.bin/tsc -p tsconfig.json
[ $# -gt 0 ] || set -- static.test.js served.test.js
node --test --test-concurrency=1 "$@"
