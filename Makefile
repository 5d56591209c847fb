# ccmon. `make run` and `make test` are all one needs; `make help` lists the rest.
# The build is Meson's (meson.build); these rules only spell its commands.

BUILD  = build
CC     = cc
CXX    = c++
PREFIX = /usr/local
ARGS   =

all: $(BUILD)/build.ninja
	@ninja -C $(BUILD) ccmon

$(BUILD)/build.ninja:
	@command -v meson >/dev/null || { echo "meson is missing; install what is needed with: scripts/install-deps build"; exit 1; }
	@CC="$(CC)" CXX="$(CXX)" meson setup $(BUILD) --prefix "$(PREFIX)" -Dwerror=$${CCMON_WERROR:-false}

run:
	@scripts/install-deps build
	@$(MAKE) -s all BUILD="$(BUILD)" CC="$(CC)" CXX="$(CXX)" PREFIX="$(PREFIX)"
	@exec $(BUILD)/ccmon serve $(ARGS)

test:
	@scripts/install-deps build test
	@BUILD="$(BUILD)" CC="$(CC)" CXX="$(CXX)" tests/run

lint:
	@scripts/install-deps build lint
	@BUILD="$(BUILD)" scripts/lint

fuzz:
	@scripts/install-deps build fuzz
	@BUILD="$(BUILD)" scripts/fuzz

bench: all
	@ninja -C $(BUILD) bench/bench-load bench/bench-send
	@meson test -C $(BUILD) --benchmark --verbose
	@BUILD="$(BUILD)" bench/run.py $(ARGS)

install: all
	@meson configure $(BUILD) --prefix "$(PREFIX)"
	@meson install -C $(BUILD) --no-rebuild

clean:
	rm -rf $(BUILD) $(BUILD)-asan $(BUILD)-tsan $(BUILD)-lint $(BUILD)-fuzz

help:
	@echo "make            build/ccmon"
	@echo "make run        install what is missing, build, start (ARGS='--port web=0 ...')"
	@echo "make test       every test: unit, fuzz corpora, sanitizers, scripts against the binary"
	@echo "make lint       rooms, house rules, layout, clang warnings, clang-tidy, the committed page"
	@echo "make fuzz       a minute for each fuzzer"
	@echo "make bench      ccmon beside the other servers found (ARGS='people=1400 ...', see bench/run.py)"
	@echo "make install    to PREFIX (/usr/local), under DESTDIR if that is set"
	@echo "make clean      remove the build folders"
	@echo "Variables: BUILD, CC, CXX (both taken when the folder BUILD is made), PREFIX, ARGS"

.PHONY: all run test lint fuzz bench install clean help
