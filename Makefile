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

# Six sources are compiled as one: most of the work are the headers, which in a folder are the same
# for all. So no two sources of a folder may call two things by one name. `make APART=1` compiles each by
# itself: for who works on one for long. By themselves, always: the stages, for each of which a learner
# may have one of his own; what changes with each commit; and what some programs are linked without.
STAGES := $(shell sed -n 's/.*\.id = spec::Stage::\([a-z]*\),.*/\1/p' stages/table.cpp)
STAGES := $(patsubst stages/%.cpp,%,$(wildcard $(STAGES:%=stages/%.cpp)))
ALONE := main.cpp sys/quick_start.cpp oci/version.cpp $(STAGES:%=stages/%.cpp)
# What compiles the default seccomp filter is in lots of its own.
FILTER_SRC := $(wildcard stages/seccomp_*.cpp) stages/bpf.cpp
sources = $(filter-out $(ALONE) $(FILTER_SRC),$(wildcard $(1)/*.cpp))
ifdef APART
SRC := main.cpp $(wildcard $(FOLDERS:%=%/*.cpp))
FILTER_OBJ := $(patsubst %.cpp,%.o,$(wildcard sys/*.cpp spec/*.cpp) $(FILTER_SRC))
OBJ := $(SRC:%.cpp=$(BUILD)/%.o)
else
# $(call lots,NAME,SOURCES): NAME-1, NAME-2 …, and what is in each as IN_NAME-1 …
lots = $(if $(strip $(2)),$(eval IN_$(1)-$(words x $(3)) := $(wordlist 1,6,$(2)))$\
	$(1)-$(words x $(3)) $(call lots,$(1),$(wordlist 7,999,$(2)),$(3) x))
# "sys: affinity bpf …"
of = $(patsubst %/,%:,$(dir $(firstword $(1)))) $(basename $(notdir $(1)))
FILTER_LOTS := $(foreach folder,sys spec,$(call lots,$(folder)/lot,$(call sources,$(folder)))) \
	$(call lots,stages/filter,$(FILTER_SRC))
LOTS := $(FILTER_LOTS) $(foreach folder,$(filter-out sys spec,$(FOLDERS)),$\
	$(call lots,$(folder)/lot,$(call sources,$(folder))))
FILTER_OBJ := $(FILTER_LOTS:=.o) sys/quick_start.o
OBJ := $(LOTS:%=$(BUILD)/%.o) $(ALONE:%.cpp=$(BUILD)/%.o)
endif
# main.o and the start of a static program: no test's.
LIBOBJ := $(filter-out $(BUILD)/main.o $(BUILD)/sys/quick_start.o,$(OBJ))
SANITIZERS ?=
# Lines for a sanitizer's report; the linker would throw them away, after a tenth of the compiler's time.
DEBUG := $(if $(SANITIZERS),-g1)
CXXFLAGS += $(CXXSTD) $(OPT) $(DEBUG) $(WARN) -I. -I$(BUILD)/gen -ffunction-sections -fdata-sections -fno-plt $(SANITIZERS) -MMD -MP
# Constants and code in one segment, with what a launch runs side by side ($(LAYOUT)).
STATIC := -static -no-pie -Wl,--gc-sections -Wl,--build-id=none -Wl,-z,noseparate-code
LAYOUT := tools/launch.ld tools/launch.order
ifeq ($(SANITIZERS),)
LDFLAGS += $(STATIC) -Wl,-T,$(firstword $(LAYOUT))
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
STEPS := shell lab site bench asan fuzz lint test test-host test-site test-vm \
	test-unit test-stage test-system test-lessons test-engines
STEPS_NOW := $(filter $(STEPS),$(MAKECMDGOALS))
ifneq ($(STEPS_NOW),)
$(STEPS_NOW): | $(filter-out $(STEPS),$(MAKECMDGOALS))
ifneq ($(word 2,$(STEPS_NOW))$(filter test,$(STEPS_NOW)),)
.NOTPARALLEL:
endif
endif

# Without symbols: a launch may have to copy the file. `make debug` links one with them. And its first
# 2 MiB, where $(LAYOUT) have put what a launch runs, are written by one call, as the linker does not:
# file systems with large folios (ext4 since Linux 6.16, xfs, btrfs) then have them as one piece in the
# page cache, and each start takes a third less of page faults. The rest in small ones: a piece is
# mapped, and counted as memory in use, as a whole. Where the file is read from the disk again, it is
# in small pieces, and what spares page faults is that what a launch calls lies side by side.
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
	$(Q)$(CXX) $(LDFLAGS) -Wl,-Map,$@.map -o $@ $(OBJ) $(LDLIBS)

$(BUILD)/%.o: %.cpp Makefile
	@mkdir -p $(@D)
	@$(call say,compile  $<)
	$(Q)$(CXX) $(CXXFLAGS) -c -o $@ $<
$(BUILD)/%.o: $(BUILD)/gen/%.cpp Makefile
	@mkdir -p $(@D)
	@$(call say,compile  $(call of,$(IN_$*)))
	$(Q)$(CXX) $(CXXFLAGS) -c -o $@ $<

# Looked at again when a source came or went, and written when that was one of the lot's.
written = @if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi
$(foreach lot,$(LOTS),$(eval $(BUILD)/gen/$(lot).cpp: $(sort $(dir $(IN_$(lot))))))
$(LOTS:%=$(BUILD)/gen/%.cpp): $(BUILD)/gen/%.cpp:
	@mkdir -p $(@D)
	@printf '#include "%s"\n' $(IN_$*) >$@.new
	$(written)

.PHONY: objects
objects:
	@echo $(OBJ)

-include $(OBJ:.o=.d)

# --- the default seccomp filter ----------------------------------------------------------------
# Compiled for $(ARCH) by a program that runs here, with the product's own code. A build for here
# shares its objects; any other (ARCH=, BUILD=) has some made for it in $(BUILD)/host.

FILTER := $(BUILD)/gen/seccomp_default.inc $(BUILD)/gen/seccomp_default_json.inc
HOST_BUILD := $(if $(filter build,$(BUILD)),build,$(BUILD)/host)
COMPILER := $(HOST_BUILD)/seccomp-compile
COMPILER_OBJ := $(HOST_BUILD)/tools/seccomp-compile.o $(FILTER_OBJ:%=$(HOST_BUILD)/%)

$(BUILD)/stages/seccomp.o: $(FILTER)

$(FILTER) &: $(COMPILER) stages/seccomp-default.json
	@mkdir -p $(@D)
	@$(call say,filter   stages/seccomp-default.json)
	$(Q)$(COMPILER) $(ARCH) stages/seccomp-default.json $(FILTER)

$(COMPILER): $(COMPILER_OBJ)
	@$(call say,link     $@)
	$(Q)g++ $(STATIC) -o $@ $(COMPILER_OBJ) $(LDLIBS)

HOST_COMPILE = g++ $(CXXSTD) -O1 $(WARN) -I. -ffunction-sections -MMD -MP -c -o $@ $<
$(BUILD)/host/%.o: %.cpp
	@mkdir -p $(@D)
	@$(call say,compile  $<)
	$(Q)$(HOST_COMPILE)
$(BUILD)/host/%.o: $(BUILD)/gen/%.cpp
	@mkdir -p $(@D)
	@$(call say,compile  $(call of,$(IN_$*)))
	$(Q)$(HOST_COMPILE)

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
# not optimized, and with the headers that nearly all of them include read only once. In a lot each has
# a namespace of its own, so that its helpers have the names that they like.
# Where clang is there, as it comes with `make lint`, by clang: it takes half of g++'s time for
# GoogleTest's templates. Sanitizers want one compiler for all.
TEST_CXX := $(or $(if $(SANITIZERS)$(filter-out $(HOST_ARCH),$(ARCH)),,$(shell command -v clang++-19)),$(CXX))
TEST_FLAGS := $(CXXSTD) -O0 $(DEBUG) $(filter-out -Wno-maybe-uninitialized,$(WARN)) -I. -I$(BUILD)/gen $(SANITIZERS) -MMD -MP
USUAL := $(BUILD)/gen/$(notdir $(lastword $(TEST_CXX)))/usual.hpp
SUPPORT := $(patsubst %.cpp,$(BUILD)/obj/%.o,$(wildcard tests/support/*.cpp))
SUITES := unit stage system lessons engines vm site exercise
TEST_BINS := $(SUITES:%=$(BUILD)/tests/%)

TEST_COMPILE = $(TEST_CXX) $(TEST_FLAGS) -include $(USUAL) -c -o $@ $<
$(BUILD)/obj/tests/%.o: tests/%.cpp $(USUAL).gch Makefile
	@mkdir -p $(@D)
	@$(call say,compile  $<)
	$(Q)$(TEST_COMPILE)
$(BUILD)/obj/tests/%.o: $(BUILD)/gen/tests/%.cpp $(USUAL).gch Makefile
	@mkdir -p $(@D)
	@$(call say,compile  $(call of,$(IN_tests/$*)))
	$(Q)$(TEST_COMPILE)
$(USUAL).gch: tests/support/usual.hpp Makefile
	@mkdir -p $(@D)
	@cp $< $(USUAL)
	@$(call say,compile  $<)
	$(Q)$(TEST_CXX) $(TEST_FLAGS) -w -x c++-header -o $@ $(USUAL)

TESTS := $(if $(APART),,$(wildcard tests/*/*_test.cpp))
TEST_LOTS := $(foreach suite,$(SUITES),$(call lots,tests/$(suite)/lot,$(filter tests/$(suite)/%,$(TESTS))))
$(foreach lot,$(TEST_LOTS),$(eval $(BUILD)/gen/$(lot).cpp: $(IN_$(lot)) $(sort $(dir $(IN_$(lot))))))
$(TEST_LOTS:%=$(BUILD)/gen/%.cpp): $(BUILD)/gen/%.cpp: tools/together
	@mkdir -p $(@D)
	@tools/together $(IN_$*) >$@.new
	$(written)

define suite
$(1)_OBJ := $$(patsubst %.cpp,$(BUILD)/obj/%.o,$$(filter-out $(TESTS),$$(wildcard tests/$(1)/*.cpp))) \
	$$(patsubst %,$(BUILD)/obj/%.o,$$(filter tests/$(1)/%,$(TEST_LOTS)))
$(BUILD)/tests/$(1): $$($(1)_OBJ) $$(SUPPORT) $(2)
	@mkdir -p $$(@D)
	@$$(call say,link     $$@)
	$(Q)$$(CXX) $(SANITIZERS) -o $$@ $$^ -lgmock -lgtest -lgtest_main -lcap -lseccomp -lpthread
-include $$($(1)_OBJ:.o=.d)
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

$(unit_OBJ): | $(FILTER)

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

.PHONY: test test-host test-elsewhere
test: test-host test-elsewhere
# Than on this machine: test-site and test-vm, at the same time. What both want is there before: two of
# apt's, or of the linker's, would be in each other's way.
test-elsewhere:
	@tools/install build shell test site vm
	@tools/install browser || true
	@$(BUILDING) test-bins $(DEBIAN)
	@+MAKE="$(MAKE)" tests/elsewhere

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
UNKNOWN := $(filter-out $(STAGES:%=$(DIR)/%.cpp),$(MINE_SRC))
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
	@test -z "$(UNKNOWN)" || { echo "$(UNKNOWN): no such stage; there are $(STAGES)" >&2; exit 2; }
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

# With the sanitizers, since a damaged document that is read beyond its end need not crash.
MINUTES := 10
.PHONY: fuzz
fuzz:
	@tools/install build shell test
	$(BUILDING) build-asan/tests/unit BUILD=build-asan BIN=build-asan/gocontainer OPT=-O1 SANITIZERS="$(ASAN)"
	@tests/fuzz build-asan/tests/unit $(MINUTES)

# --- lint --------------------------------------------------------------------------------------
# The objects too: the linker's symbols tell who calls into the kernel.
.PHONY: lint
lint:
	@tools/install build lint
	@$(BUILDING) $(BIN)
	@BUILD=$(BUILD) tools/lint
