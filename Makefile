# The front door: `make help`. Meson builds; this installs what is missing, calls it and names the usual ways.

BUILD := build
NINJA := ninja -C $(BUILD) $(if $(VERBOSE),-v,--quiet)

# Of `make torture`; 0: no limit.
SECONDS := 3600
COUNT := 0

.PHONY: all demo test torture bench reproduce asan tsan faults kills fuzz arm64 install deb clean format help packages test-packages photos test-browser

all: packages $(BUILD)/build.ninja ## builds build/elbo and the library libelbo (static and shared)
	@$(NINJA)
	@$(if $(filter-out all photos,$(MAKECMDGOALS)),,echo 'built: $(BUILD)/elbo; to begin: $(BUILD)/elbo demo')

photos: ## builds elbo-images too, which reads folders of photographs (installs libvips-dev)
	@tools/packages.sh photos
	@test ! -f $(BUILD)/build.ninja || meson setup --reconfigure $(BUILD) >build.log || { cat build.log; exit 1; }
	@$(MAKE) --no-print-directory all

demo: all ## trains an AE and a VAE, draws every figure, writes runs/demo/report.html
	@$(BUILD)/elbo demo

test: test-packages $(BUILD)/build.ninja ## builds and runs all tests
	@meson configure $(BUILD) -Dtests=true
	@$(NINJA)
	@meson test -C $(BUILD) --print-errorlogs --no-rebuild

test-browser: all ## tests of the explorer's page in Chromium (installs chromium and, where they are absent, node and npm)
	@tools/packages.sh browser
	@tools/test_browser.sh $(abspath $(BUILD)/elbo)

torture: test-packages $(BUILD)/build.ninja ## random architectures against float64, for an hour (SECONDS=N, COUNT=N)
	@meson configure $(BUILD) -Dtests=true
	@$(NINJA)
	@nice -n 10 $(BUILD)/tests/torture $(SECONDS) $(COUNT)

bench: all ## speed of the recipes, beside PyTorch where python3-torch is installed
	@tools/bench.sh $(BUILD)/elbo

reproduce: all ## trains and scores published results again: hours (NAMES="ruff pythae"; QUICK=1: an epoch of each)
	@QUICK=$(QUICK) tools/reproduce.sh $(BUILD)/elbo $(NAMES)

asan: test-packages ## all tests again with AddressSanitizer and UndefinedBehaviorSanitizer
	@test -f build-asan/build.ninja || meson setup build-asan --buildtype=debugoptimized \
		-Dtests=true -Db_sanitize=address,undefined -Db_lundef=false >build-asan.log || { cat build-asan.log; exit 1; }
	@ninja -C build-asan --quiet
	@meson test -C build-asan --print-errorlogs --no-rebuild --timeout-multiplier 5 $(ASAN_TESTS)

tsan: test-packages ## the tests that use threads with ThreadSanitizer
	@test -f build-tsan/build.ninja || meson setup build-tsan --buildtype=debugoptimized \
		-Dtests=true -Db_sanitize=thread -Db_lundef=false >build-tsan.log || { cat build-tsan.log; exit 1; }
	@ninja -C build-tsan --quiet
	@meson test -C build-tsan --print-errorlogs --no-rebuild --timeout-multiplier 10 \
		base sessions photos training training_resume neighbours tsne api

faults: test-packages $(BUILD)/build.ninja ## fails every allocation and system call of small runs, one by one: hours; FAULTS="--sample 20" tries some
	@meson configure $(BUILD) -Dtests=true
	@$(NINJA)
	@ELBO_IMAGES=$(abspath $(BUILD))/elbo-images $(BUILD)/tests/faults/fault-sweep $(abspath $(BUILD))/elbo $(abspath $(BUILD))/tests/faults/elbo-faults.so $(FAULTS)

kills: test-packages $(BUILD)/build.ninja ## kills small runs 1,000 times at random moments and repeats them
	@meson configure $(BUILD) -Dtests=true
	@$(NINJA)
	@ELBO_IMAGES=$(abspath $(BUILD))/elbo-images $(BUILD)/tests/faults/fault-kills $(abspath $(BUILD))/elbo --kills 1000 $(KILLS)

fuzz: ## fuzzes everything that reads files, an hour each (FUZZ_SECONDS=60 FUZZ_RUNS=1000000 make fuzz); needs clang
	@tools/packages.sh fuzz
	@tools/fuzz.sh $(FUZZ_TARGETS)

arm64: ## cross-builds for 64-bit ARM and runs a part of the tests in qemu (Debian on x86-64)
	@tools/arm64.sh $(ARM64_TESTS)

install: all ## installs program, library, header and pkg-config file (DESTDIR and meson's prefix are heeded)
	@meson install -C $(BUILD) --no-rebuild

deb: all ## builds a Debian package, elbo_VERSION_ARCH.deb
	@tools/deb.sh $(BUILD)

packages: ## installs the Debian packages that building and running need
	@tools/packages.sh

test-packages:
	@tools/packages.sh test

$(BUILD)/build.ninja: | packages
	@meson setup $(BUILD) >build.log || { cat build.log; exit 1; }

format: ## lays the code out by .clang-format
	@git ls-files '*.c' '*.h' | xargs clang-format -i

clean: ## removes what was built
	@rm -rf $(BUILD) build-asan build-tsan build-fuzz build-arm64 build.log build-asan.log build-tsan.log build-fuzz.log

help: ## shows this
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | while IFS="$$(printf '\t')" read -r name text; do \
		printf '  make %-10s %s\n' "$$name" "$$text"; done
