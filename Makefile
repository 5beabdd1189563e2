# gocontainer: build, try, test.
#
#   make            the binary                       make test     every test
#   make shell      a shell in a container           make lint     format, tidy, arrows
#   make docker-shell   all of it in Docker: on a Mac, on Windows
#   make ARCH=arm64 for another architecture         make bench    speed against peers
#                   (tools/install build arm64)      make site     the lessons as a website
#
# `make shell` and `make test` install what they need (apt, dnf or apk; sudo when not root).

ARCH ?= $(shell uname -m | sed 's/^x86_64$$/amd64/; s/^aarch64$$/arm64/')
HOST_ARCH := $(shell uname -m | sed 's/^x86_64$$/amd64/; s/^aarch64$$/arm64/')
CXXSTD := -std=c++23
# Small is fast here: a launch is page faults, twice, and -Os touches a tenth fewer pages than -O2.
OPT ?= -Os
WARN := -Wall -Wextra -Wshadow -Wconversion -Wno-missing-field-initializers -Wno-maybe-uninitialized
ifeq ($(ARCH),$(HOST_ARCH))
CXX := g++
BUILD := build
BIN := gocontainer
else
CXX := $(subst amd64,x86_64,$(subst arm64,aarch64,$(ARCH)))-linux-gnu-g++
BUILD := build-$(ARCH)
BIN := build-$(ARCH)/gocontainer
endif

FOLDERS := sys spec cli oci run stages teach teach/escapes
# What the steps below build, they build on every core.
BUILDING = $(MAKE) --no-print-directory -j$(shell nproc)

SRC := main.cpp $(wildcard $(FOLDERS:%=%/*.cpp))
OBJ := $(SRC:%.cpp=$(BUILD)/%.o)
# main.o and the start of a static program: no test's.
LIBOBJ := $(filter-out $(BUILD)/main.o $(BUILD)/sys/quick_start.o,$(OBJ))
SANITIZERS ?=
CXXFLAGS += $(CXXSTD) $(OPT) -g1 $(WARN) -I. -I$(BUILD)/gen -ffunction-sections -fdata-sections -fno-plt $(SANITIZERS) -MMD -MP
# Constants and code in one segment, from the file's first byte: its first 2 MiB are then what one entry
# of the page table can map, if they lie in the page cache as one piece.
STATIC := -static -no-pie -Wl,--gc-sections -Wl,--build-id=none -Wl,-z,noseparate-code
LAYOUT := tools/launch.ld
ifeq ($(SANITIZERS),)
LDFLAGS += $(STATIC) -Wl,-T,$(LAYOUT)
STRIP := -s
else
LDFLAGS += $(SANITIZERS)
endif
LDLIBS += -lcap -lseccomp

.PHONY: all
all: $(BIN)

# A line for each step instead of its command, unless asked by V=1.
Q := $(if $(V),,@)
say = $(if $(V),:,echo "  $(1)")

# These call make again for what they need, on every core. At the same time as another goal they would
# build the same objects: they come after it, and one after the other.
STEPS := shell lab site bench asan lint test test-host test-site test-vm \
	test-unit test-stage test-system test-lessons test-engines
STEPS_NOW := $(filter $(STEPS),$(MAKECMDGOALS))
ifneq ($(STEPS_NOW),)
$(STEPS_NOW): | $(filter-out $(STEPS),$(MAKECMDGOALS))
ifneq ($(word 2,$(STEPS_NOW))$(filter test,$(STEPS_NOW)),)
.NOTPARALLEL:
endif
endif

# Without symbols: a launch may have to copy the file. `make debug` links one with them. And its first
# 2 MiB, where $(LAYOUT) has put what a launch runs, are written by one call, as the linker does not:
# file systems with large folios (ext4 since Linux 6.16, xfs, btrfs) then have them as one piece in the
# page cache, and each start takes half the page faults, 4 % of a launch. The rest in small ones: a
# piece is mapped, and counted as memory in use, as a whole.
$(BIN): $(OBJ) $(LAYOUT)
	@$(call say,link     $@)
	$(Q)$(CXX) $(LDFLAGS) $(STRIP) -o $@.linked $(OBJ) $(LDLIBS)
	@dd if=$@.linked of=$@.new bs=2M count=1 iflag=fullblock status=none
	@dd if=$@.linked of=$@.new bs=64K skip=32 seek=32 conv=notrunc status=none
	@chmod +x $@.new
	@mv $@.new $@
	@rm $@.linked

.PHONY: debug
debug: $(BUILD)/gocontainer.debug
$(BUILD)/gocontainer.debug: $(OBJ) $(LAYOUT)
	@$(call say,link     $@)
	$(Q)$(CXX) $(LDFLAGS) -o $@ $(OBJ) $(LDLIBS)

$(BUILD)/%.o: %.cpp Makefile
	@mkdir -p $(@D)
	@$(call say,compile  $<)
	$(Q)$(CXX) $(CXXFLAGS) -c -o $@ $<

-include $(OBJ:.o=.d)

# --- the default seccomp filter ----------------------------------------------------------------
# Compiled for $(ARCH) by a program that runs here, with the product's own code. A build for here
# shares its objects; any other (ARCH=, BUILD=) has some made for it in $(BUILD)/host.

FILTER := $(BUILD)/gen/seccomp_default.inc $(BUILD)/gen/seccomp_default_json.inc
HOST_BUILD := $(if $(filter build,$(BUILD)),build,$(BUILD)/host)
COMPILER := $(HOST_BUILD)/seccomp-compile
COMPILER_SRC := $(wildcard tools/seccomp-compile.cpp stages/seccomp_*.cpp stages/bpf.cpp sys/*.cpp spec/*.cpp)
COMPILER_OBJ := $(COMPILER_SRC:%.cpp=$(HOST_BUILD)/%.o)

$(BUILD)/stages/seccomp.o: $(FILTER)

$(FILTER) &: $(COMPILER) stages/seccomp-default.json
	@mkdir -p $(@D)
	@$(call say,filter   stages/seccomp-default.json)
	$(Q)$(COMPILER) $(ARCH) stages/seccomp-default.json $(FILTER)

$(COMPILER): $(COMPILER_OBJ)
	@$(call say,link     $@)
	$(Q)g++ $(STATIC) -o $@ $(COMPILER_OBJ) $(LDLIBS)

$(BUILD)/host/%.o: %.cpp
	@mkdir -p $(@D)
	@$(call say,compile  $<)
	$(Q)g++ $(CXXSTD) -O1 $(WARN) -I. -ffunction-sections -MMD -MP -c -o $@ $<

-include $(COMPILER_OBJ:.o=.d)

# --- the commit, for --version -----------------------------------------------------------------
# Looked up each time, and written when it has changed. Outside of a checkout there is none.

COMMIT := $(BUILD)/gen/commit.inc
COMMIT_NOW = test -e .git && git describe --always --abbrev=40 --dirty --exclude='*'

$(BUILD)/oci/version.o: $(COMMIT)

.PHONY: look
$(COMMIT): look
	@mkdir -p $(@D)
	@now=$$($(COMMIT_NOW) 2>/dev/null); if [ -n "$$now" ] || [ ! -e $@ ]; then \
		echo "\"$$now\"" | cmp -s - $@ || echo "\"$$now\"" >$@; fi

# --- first steps -------------------------------------------------------------------------------

.PHONY: shell
shell:
	@tools/install build shell
	@$(BUILDING) $(BIN)
	@test -d rootfs || rootfs-scripts/busybox rootfs
	@tools/shell

# The same in Docker's Linux, for who has no other (lessons/ON-YOUR-MACHINE.md).
.PHONY: docker-shell
docker-shell:
	@tools/docker-shell

.PHONY: clean
clean:
	rm -rf build build-* gocontainer

# --- tests -------------------------------------------------------------------------------------
# unit links the product's own objects; stage and system know only the binary; so do lessons, whose
# tests type what lessons/ prints, engines, whose tests are what Docker, Podman and containerd make of
# it, vm, whose tests need a machine that they may break, and site, which opens the lessons' website.
# exercise is what `gocontainer lab check` runs against a learner's program, and lessons that against ours.

# Tests wait for others far more than they compute, and are compiled more often than anything else:
# not optimized, and with the headers that nearly all of them include read only once.
TEST_FLAGS := $(CXXSTD) -O0 -g1 $(WARN) -I. -I$(BUILD)/gen $(SANITIZERS) -MMD -MP
USUAL := $(BUILD)/gen/usual.hpp
SUPPORT := $(patsubst %.cpp,$(BUILD)/obj/%.o,$(wildcard tests/support/*.cpp))
SUITES := unit stage system lessons engines vm site exercise
TEST_BINS := $(SUITES:%=$(BUILD)/tests/%)

$(BUILD)/obj/tests/%.o: tests/%.cpp $(USUAL).gch Makefile
	@mkdir -p $(@D)
	@$(call say,compile  $<)
	$(Q)$(CXX) $(TEST_FLAGS) -include $(USUAL) -c -o $@ $<
$(USUAL).gch: tests/support/usual.hpp Makefile
	@mkdir -p $(@D)
	@cp $< $(USUAL)
	@$(call say,compile  $<)
	$(Q)$(CXX) $(TEST_FLAGS) -w -x c++-header -o $@ $(USUAL)

define suite
$(BUILD)/tests/$(1): $$(patsubst %.cpp,$(BUILD)/obj/%.o,$$(wildcard tests/$(1)/*.cpp)) $$(SUPPORT) $(2)
	@mkdir -p $$(@D)
	@$$(call say,link     $$@)
	$(Q)$$(CXX) $(SANITIZERS) -o $$@ $$^ -lgmock -lgtest -lgtest_main -lcap -lseccomp -lpthread
-include $$(patsubst %.cpp,$(BUILD)/obj/%.d,$$(wildcard tests/$(1)/*.cpp))
endef
$(eval $(call suite,unit,$(LIBOBJ)))
$(eval $(call suite,stage))
$(eval $(call suite,system))
$(eval $(call suite,lessons))
$(eval $(call suite,engines))
$(eval $(call suite,vm))
$(eval $(call suite,site))
$(eval $(call suite,exercise))
-include $(SUPPORT:.o=.d)

$(BUILD)/obj/tests/unit/seccomp_test.o: $(FILTER)

# What a stage test runs inside a container: static, since the root filesystem may hold no libc.
$(BUILD)/tests/probe: tests/probe.cpp
	@mkdir -p $(@D)
	@$(call say,compile  $<)
	$(Q)$(CXX) $(CXXSTD) -O1 $(WARN) -static -o $@ $<

.PHONY: test-bins
test-bins: $(BIN) $(TEST_BINS) $(BUILD)/tests/probe

# On which the tests of the Dockerfile build it.
DEBIAN := build/debian.tar
$(DEBIAN): tests/engines/debian-base tools/install
	-tests/engines/debian-base $@ shell lesson

.PHONY: test test-host
test: test-host test-site test-vm

# All that this machine can do, as root and as an ordinary user.
test-host:
	@tools/install build shell test
	@$(BUILDING) test-bins $(DEBIAN)
	@tests/run unit stage system lessons engines

# --- a learner's stages ------------------------------------------------------------------------
# `make mine DIR=lessons/03-uts` links DIR/*.cpp in the place of our stages of those names, into
# DIR/gocontainer, and makes a program of its own, DIR/mine, of DIR/mine.cpp: static, since a container
# may hold no libraries. `make lab` builds what `gocontainer lab check` grades with.

MINE_SRC := $(filter-out $(DIR)/mine.cpp,$(wildcard $(DIR)/*.cpp))
MINE_OBJ := $(MINE_SRC:$(DIR)/%.cpp=$(BUILD)/mine/%.o)
THEIRS := $(MINE_SRC:$(DIR)/%.cpp=$(BUILD)/stages/%.o)
MINE := $(if $(wildcard $(DIR)/mine.cpp),mine-program) $(if $(MINE_SRC),mine-stages)

.PHONY: mine mine-program mine-stages lab
mine: $(MINE)
	@test -n "$(strip $(MINE))" || { echo "make mine DIR=FOLDER, with mine.cpp or a stage in it: uts.cpp, say" >&2; exit 2; }
mine-program:
	@$(CXX) $(CXXSTD) -O1 -Wall -Wextra -static -o $(DIR)/mine $(DIR)/mine.cpp -lseccomp -lcap
	@echo "$(DIR)/mine is your program"
mine-stages: $(OBJ)
	@for one in $(THEIRS); do test -e $$one || { echo "$$one: there is no such stage" >&2; exit 2; }; done
	@mkdir -p $(BUILD)/mine
	@for one in $(basename $(notdir $(MINE_SRC))); do \
		$(CXX) $(CXXFLAGS) -c -o $(BUILD)/mine/$$one.o $(DIR)/$$one.cpp || exit 1; done
	@$(CXX) $(LDFLAGS) $(STRIP) -o $(DIR)/gocontainer $(filter-out $(THEIRS),$(OBJ)) $(MINE_OBJ) $(LDLIBS)
	@echo "$(DIR)/gocontainer has your $(basename $(notdir $(MINE_SRC)))"
lab:
	@tools/install build shell lesson lab
	@$(BUILDING) $(BIN) $(BUILD)/tests/stage $(BUILD)/tests/exercise $(BUILD)/tests/probe
	@test -d rootfs || rootfs-scripts/busybox rootfs

.PHONY: test-unit test-stage test-system test-lessons test-engines test-vm
test-unit test-stage test-system test-lessons test-engines:
	@tools/install build shell test
	@$(BUILDING) test-bins $(if $(filter %-engines,$@),$(DEBIAN))
	@tests/run $(@:test-%=%)
test-vm:
	@tools/install build shell test vm
	@$(BUILDING) test-bins $(DEBIAN)
	@tests/vm/run

# --- the lessons as a website -------------------------------------------------------------------
# build/site/index.html: the pages by site/pages.cpp, what they show of real runs by site/record.

SITE := $(BUILD)/site-pages
SITE_OBJ := $(patsubst %.cpp,$(BUILD)/obj/%.o,$(wildcard site/*.cpp))

$(BUILD)/obj/site/%.o: site/%.cpp Makefile
	@mkdir -p $(@D)
	@$(call say,compile  $<)
	$(Q)$(CXX) $(CXXSTD) -O1 $(WARN) -I. -MMD -MP -c -o $@ $<
$(SITE): $(SITE_OBJ) $(LIBOBJ)
	@$(call say,link     $@)
	$(Q)$(CXX) -Wl,--gc-sections -o $@ $^ -lcmark-gfm-extensions -lcmark-gfm $(LDLIBS)
-include $(SITE_OBJ:.o=.d)

.PHONY: site test-site
site:
	@tools/install build shell site
	@echo '#include <cmark-gfm.h>' | $(CXX) -E -x c++ -o /dev/null - 2>/dev/null || \
		{ echo "make site needs cmark-gfm's library, which Debian and Ubuntu have" >&2; exit 1; }
	@$(BUILDING) $(BIN) $(SITE)
	@rm -rf $(BUILD)/site $(BUILD)/site-recorded
	@site/record $(BIN) $(BUILD)/site-recorded
	@$(SITE) . $(BUILD)/site-recorded $(BUILD)/site
	@echo "$(BUILD)/site/index.html: the lessons, with what they print and its pictures"

# In a real browser, once: what a page looks like does not depend on who looks.
test-site: site
	@tools/install test
	@tools/install browser || echo "without a browser the tests are skipped" >&2
	@$(BUILDING) $(BUILD)/tests/site
	@GOCONTAINER_SITE=$(BUILD)/site GOCONTAINER_SRC=. $(BUILD)/tests/site --gtest_brief=1

# --- speed -------------------------------------------------------------------------------------

.PHONY: bench
bench:
	@tools/install build shell bench
	@$(BUILDING) $(BIN)
	@test -d rootfs || rootfs-scripts/busybox rootfs
	@bench/run --svg build/bench.svg

# The same tests, on a binary that notices what it does to its memory. It is a dynamic one, which
# the re-exec stands, since the host's tree is still there then; and sys::clone3 forks in it.
# sys/sanitize.cpp sets it up. Left out is the test that has it be a container's command.
ASAN := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
STATIC_ONLY := OwnBinary.AsTheCommandCannotBeWritten
.PHONY: asan asan-bins
asan:
	@tools/install build shell test
	$(BUILDING) asan-bins BUILD=build-asan BIN=build-asan/gocontainer OPT=-O1 SANITIZERS="$(ASAN)"
	GTEST_FILTER=-$(STATIC_ONLY) BUILD=build-asan tests/run unit stage
asan-bins: $(BIN) $(BUILD)/tests/probe $(BUILD)/tests/unit $(BUILD)/tests/stage

# --- lint --------------------------------------------------------------------------------------
# The objects too: the linker's symbols tell who calls into the kernel.
.PHONY: lint
lint:
	@tools/install build lint
	@$(BUILDING) $(BIN)
	@BUILD=$(BUILD) tools/lint
