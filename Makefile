# warmrelay: build, test and try. `make help` lists the targets.
#
# BUILD=dir     where objects and programs go (default build, or build-$(SAN) for a sanitizer build)
# SAN=address   AddressSanitizer and UBSan;  SAN=thread  ThreadSanitizer;  SAN=fuzz  clang's libFuzzer with ASan and UBSan
# WERROR=1      warnings are errors (set by .ci/run)
# V=1           show the commands
# DESTDIR=, PREFIX=/usr/local   for `make install`

.DEFAULT_GOAL := all
SAN    ?=
BUILD  ?= build$(if $(SAN),-$(SAN))
PREFIX ?= /usr/local
ETC     = /etc/warmrelay
CC      = gcc
PKGS    = libevent libevent_openssl libevent_pthreads libssl libcrypto libunbound ldns yaml-0.1 jansson libxxhash libcap libsystemd libidn2 libpcre2-8 libcurl zlib

CPPFLAGS += -D_GNU_SOURCE -I. -I$(BUILD)/gen $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
WARN      = -Wall -Wextra -Wshadow -Wpointer-arith -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 \
            -Wundef -Wwrite-strings -Wcast-align -Wno-unused-parameter $(if $(WERROR),-Werror)
HARDEN    = -fPIE -fstack-protector-strong -fstack-clash-protection -fcf-protection -ftrivial-auto-var-init=zero
CFLAGS   += -std=c11 -O2 -g -fno-omit-frame-pointer $(WARN) $(HARDEN) -MMD -MP
LDFLAGS  += -pie -Wl,-z,relro,-z,now -Wl,-z,noexecstack
LDLIBS_relayq = $(shell pkg-config --libs ncursesw 2>/dev/null)
LDLIBS    = $(shell pkg-config --libs $(PKGS) 2>/dev/null) -llmdb -lcrypt -lpthread -lm

# Sanitizers change what gcc can see of sizes; its guesses about truncation are worth something in the plain build alone.
ifeq ($(SAN),address)
CFLAGS  += -fsanitize=address,undefined -fno-sanitize-recover=undefined -O1 -Wno-format-truncation -Wno-stringop-overflow
LDFLAGS += -fsanitize=address,undefined
else ifeq ($(SAN),thread)
CFLAGS  += -fsanitize=thread -O1 -Wno-format-truncation -Wno-stringop-overflow
LDFLAGS += -fsanitize=thread
else ifeq ($(SAN),fuzz)
CC       = clang-14
HARDEN   = -fPIE
WARN     = -w
CFLAGS  += -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
LDFLAGS += -fsanitize=address,undefined
else
CPPFLAGS += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
endif

# One archive for each layer; a layer links only with those below it, so a wrong arrow does not link.
LAYERS       = base conf queue sched wire net relay
SRC_base    := $(wildcard base/*.c)
SRC_conf    := $(wildcard conf/*.c)
SRC_queue   := $(wildcard queue/*.c)
SRC_sched   := $(wildcard sched/*.c)
SRC_wire    := $(wildcard relay/wire/*.c)
SRC_net     := $(wildcard relay/net/*.c)
SRC_relay   := $(wildcard relay/intake/*.c relay/deliver/*.c relay/notify/*.c relay/sign/*.c relay/ops/*.c relay/daemon/*.c) \
               $(filter-out relay/relayq/relayq.c,$(wildcard relay/relayq/*.c))
SRC_relayq  := relay/relayq/relayq.c
SRC_support := $(filter-out tests/support/fault_lmdb.c,$(wildcard tests/support/*.c))

# usage: $(call say,WHAT) before a command
Q   := $(if $(V),,@)
say  = $(if $(V),,@echo '  $(1)  $@')
obj  = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
lib  = $(foreach l,$(1),$(BUILD)/lib$(l).a)

LIBS_base  = $(call lib,base)
LIBS_conf  = $(call lib,conf base)
LIBS_queue = $(call lib,queue conf base)
LIBS_sched = $(call lib,sched conf base)
LIBS_wire  = $(call lib,wire base)
LIBS_net   = $(call lib,net wire conf base)
LIBS_relay = $(call lib,relay net wire sched queue conf base)

all: $(BUILD)/relayd $(BUILD)/relayq $(BUILD)/warmup-sim ## build the daemon, the operator's tool and the simulator of warm-ups

$(BUILD)/relayd: $(call obj,relay/relayd.c) $(LIBS_relay)
	$(call say,link)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/relayq: $(call obj,$(SRC_relayq)) $(LIBS_relay)
	$(call say,link)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS) $(LDLIBS_relayq)

$(BUILD)/gen/%.tsv.h: tests/replies/%.tsv
	@mkdir -p $(@D)
	@{ echo "static const unsigned char $*_tsv[] = {"; od -An -v -tx1 $< | sed 's/ \(..\)/0x\1,/g'; echo "};"; } > $@.new
	@mv $@.new $@
$(call obj,bench/warmup/texts.c): | $(BUILD)/gen/responses.tsv.h

# Beside the scheduler it has the rules that say what replies mean.
$(BUILD)/warmup-sim: $(call obj,$(wildcard bench/warmup/*.c)) $(LIBS_relay)
	$(call say,link)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

define layer
$(BUILD)/lib$(1).a: $(call obj,$(SRC_$(1)))
	@mkdir -p $$(@D)
	@rm -f $$@
	$(Q)ar rcs $$@ $$^
endef
$(foreach l,$(LAYERS) support,$(eval $(call layer,$(l))))

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(call say,cc  )
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

# conf/NAME.yaml is also part of the program: #include "NAME.yaml.h" gives `static const unsigned char NAME_yaml[]`.
EMBEDDED := $(patsubst conf/%,$(BUILD)/gen/%.h,$(wildcard conf/*.yaml))

$(BUILD)/gen/%.yaml.h: conf/%.yaml
	@mkdir -p $(@D)
	@{ echo "static const unsigned char $(subst -,_,$*)_yaml[] = {"; od -An -v -tx1 $< | sed 's/ \(..\)/0x\1,/g'; echo "};"; } > $@.new
	@mv $@.new $@
$(call obj,$(SRC_conf)): | $(EMBEDDED)

# --- unit tests: tests/unit/LAYER/test_*.c, one program a file, linked with that layer and those below -------------------
UNIT     := $(wildcard tests/unit/*/test_*.c)
UNIT_BIN := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(UNIT))
THREADED := $(patsubst %,$(BUILD)/unit/%,$(shell sed '/^\#/d' tests/threaded.txt 2>/dev/null))

define unit_rule
$(BUILD)/unit/$(1)/%: $(BUILD)/obj/tests/unit/$(1)/%.o $(BUILD)/libsupport.a $$(LIBS_$(1))
	@mkdir -p $$(@D)
	$$(call say,link)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $$@ $$^ -lcmocka $(LDLIBS)

unit-$(1): $(filter $(BUILD)/unit/$(1)/%,$(UNIT_BIN))
	@set -e; for t in $$^; do echo "== $$$$t"; $$$$t; done
.PHONY: unit-$(1)
endef
$(foreach l,$(LAYERS),$(eval $(call unit_rule,$(l))))

# Put before LMDB by LD_PRELOAD: commits that kill, fail or take their time.
$(BUILD)/fault_lmdb.so: tests/support/fault_lmdb.c
	@mkdir -p $(@D)
	$(call say,link)
	$(Q)gcc -D_GNU_SOURCE -std=gnu11 -O2 -g -Wall -Wextra $(if $(WERROR),-Werror) -fPIC -shared -o $@ $< -ldl

# What tests/disk/run drives the queue with.
$(BUILD)/disk/%: $(BUILD)/obj/tests/disk/%.o $(LIBS_queue)
	@mkdir -p $(@D)
	$(call say,link)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

unit: $(UNIT_BIN)
unit-threaded: $(filter $(UNIT_BIN),$(THREADED))

# --- fuzz targets: tests/fuzz/fuzz_STEM.c with seeds in tests/fuzz/corpus/STEM/, built by `make SAN=fuzz fuzz-build` ------
FUZZ_BIN := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))

$(BUILD)/fuzz/%: $(BUILD)/obj/tests/fuzz/%.o $(LIBS_relay)
	@mkdir -p $(@D)
	$(call say,link)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LDLIBS)

fuzz-build: $(FUZZ_BIN)

# --- benchmarks: bench/*.c, one program a file -----------------------------------------------------------------------------
BENCH_BIN := $(patsubst bench/%.c,$(BUILD)/bench/%,$(wildcard bench/*.c))

$(BUILD)/bench/%: $(BUILD)/obj/bench/%.o $(LIBS_relay)
	@mkdir -p $(@D)
	$(call say,link)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

bench-build: $(BENCH_BIN) $(BUILD)/fault_lmdb.so $(BUILD)/warmup-sim

# --- what people call: each brings what it needs. After deps make starts anew, since pkg-config answers differently then ----
JOBS  := -j$(shell nproc)
STAGES = WERROR=$(WERROR) BUILD=$(if $(SAN),build,$(BUILD)) MAKE="$(MAKE)" tests/run-all

deps: ## install the Debian packages of tests/packages.txt that are missing, unpack those of tests/unpacked.txt
	@tests/install-packages tests/packages.txt
	@tests/unpack-packages tests/unpacked.txt $(BUILD)/unpacked

test: deps ## build and test everything; the last line counts
	+@$(STAGES)

fuzz: deps ## fuzz every parser for FUZZ_SECONDS each (default 5); FUZZ=session FUZZ_RUNS=1000000: the long way
	+@$(STAGES) fuzz

lint: deps ## format, clang-tidy, cppcheck and the rules of the house
	+@$(MAKE) --no-print-directory $(JOBS) all
	@BUILD=$(BUILD) tests/lint/run

demo: deps ## a mail world on loopback and a thousand messages through it
	+@$(MAKE) --no-print-directory $(JOBS) all
	@BUILD=$(BUILD) tests/world/demo

bench: deps ## measure against Postfix; prints figures
	+@$(MAKE) --no-print-directory $(JOBS) all bench-build
	@BUILD=$(BUILD) bench/run

run: deps ## start the shipped configuration, which accepts from loopback alone (as root)
	+@$(MAKE) --no-print-directory $(JOBS) all
	@$(SYSTEM_USER)
	@if [ "$$(id -u)" = 0 ]; then install -d -m 0750 -o warmrelay -g warmrelay /var/lib/warmrelay && \
	    install -d -m 0755 -o warmrelay -g warmrelay /run/warmrelay; fi
	exec $(BUILD)/relayd -c conf/relay.yaml

docs: all ## write docs/CONFIG.md from the schema
	$(BUILD)/relayd --reference > docs/CONFIG.md.new
	mv docs/CONFIG.md.new docs/CONFIG.md

SYSTEM_USER = if [ "$$(id -u)" = 0 ] && ! getent passwd warmrelay >/dev/null; then useradd --system --user-group \
	--home-dir /var/lib/warmrelay --no-create-home --shell /usr/sbin/nologin warmrelay; fi

install: all ## programs, unit and configuration below DESTDIR and PREFIX; an edited configuration stays
	install -d $(addprefix $(DESTDIR),$(addprefix $(PREFIX)/,sbin bin lib/systemd/system share/doc/warmrelay) $(ETC))
	install -m 0755 $(BUILD)/relayd $(DESTDIR)$(PREFIX)/sbin/relayd
	install -m 0755 $(BUILD)/relayq $(DESTDIR)$(PREFIX)/bin/relayq
	sed 's|/usr/local|$(PREFIX)|g' relay/warmrelay.service > $(DESTDIR)$(PREFIX)/lib/systemd/system/warmrelay.service
	install -m 0644 README.md LICENSE docs/CONFIG.md $(DESTDIR)$(PREFIX)/share/doc/warmrelay
	[ -e $(DESTDIR)$(ETC)/relay.yaml ] || install -m 0644 conf/relay.yaml $(DESTDIR)$(ETC)/relay.yaml
	@[ -n "$(DESTDIR)" ] || { $(SYSTEM_USER); }

clean: ## remove what was built
	rm -rf build build-address build-thread build-fuzz

help: ## this list
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 16

.PHONY: all unit unit-threaded fuzz-build bench-build deps test fuzz lint demo bench run docs install clean help
.SECONDARY:
-include $(shell find $(BUILD) -type f -name '*.d' 2>/dev/null)
