# warmrelay: build, test and try. `make help` lists the targets.
#
# BUILD=dir     where objects and programs go (default build, or build-$(SAN) for a sanitizer build)
# SAN=address   AddressSanitizer and UBSan;  SAN=thread  ThreadSanitizer
# WERROR=1      warnings are errors (set by .ci/run)

SAN    ?=
BUILD  ?= build$(if $(SAN),-$(SAN))
CC      = gcc
PKGS    = libevent libevent_openssl libevent_pthreads libssl libcrypto libunbound ldns yaml-0.1 jansson libxxhash libcap libsystemd libidn2

CPPFLAGS += -D_GNU_SOURCE -I. -I$(BUILD)/gen $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
WARN      = -Wall -Wextra -Wshadow -Wpointer-arith -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 \
            -Wundef -Wwrite-strings -Wcast-align -Wno-unused-parameter $(if $(WERROR),-Werror)
HARDEN    = -fPIE -fstack-protector-strong -fstack-clash-protection -fcf-protection -ftrivial-auto-var-init=zero
CFLAGS   += -std=c11 -O2 -g -fno-omit-frame-pointer $(WARN) $(HARDEN) -MMD -MP
LDFLAGS  += -pie -Wl,-z,relro,-z,now -Wl,-z,noexecstack
LDLIBS    = $(shell pkg-config --libs $(PKGS) 2>/dev/null) -llmdb -lcrypt -lpthread

ifeq ($(SAN),address)
CFLAGS  += -fsanitize=address,undefined -fno-sanitize-recover=undefined -O1
LDFLAGS += -fsanitize=address,undefined
else ifeq ($(SAN),thread)
CFLAGS  += -fsanitize=thread -O1
LDFLAGS += -fsanitize=thread
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
SRC_relay   := $(wildcard relay/intake/*.c relay/deliver/*.c relay/notify/*.c relay/ops/*.c relay/daemon/*.c)
SRC_relayq  := $(wildcard relay/relayq/*.c)

obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
lib = $(foreach l,$(1),$(BUILD)/lib$(l).a)

LIBS_base  = $(call lib,base)
LIBS_conf  = $(call lib,conf base)
LIBS_queue = $(call lib,queue conf base)
LIBS_sched = $(call lib,sched conf base)
LIBS_wire  = $(call lib,wire base)
LIBS_net   = $(call lib,net wire conf base)
LIBS_relay = $(call lib,relay net wire sched queue conf base)

all: $(BUILD)/relayd $(BUILD)/relayq

$(BUILD)/relayd: $(call obj,relay/relayd.c) $(LIBS_relay)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/relayq: $(call obj,$(SRC_relayq)) $(LIBS_relay)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LDLIBS)

define layer
$(BUILD)/lib$(1).a: $(call obj,$(SRC_$(1)))
	@rm -f $$@
	ar rcs $$@ $$^
endef
$(foreach l,$(LAYERS),$(eval $(call layer,$(l))))

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

# --- unit tests: tests/unit/LAYER/test_*.c, one program a file, linked with that layer and those below -------------------
UNIT     := $(wildcard tests/unit/*/test_*.c)
UNIT_BIN := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(UNIT))

define unit_rule
$(BUILD)/unit/$(1)/%: $(BUILD)/obj/tests/unit/$(1)/%.o $$(LIBS_$(1))
	@mkdir -p $$(@D)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $$@ $$^ -lcmocka $(LDLIBS)

unit-$(1): $(filter $(BUILD)/unit/$(1)/%,$(UNIT_BIN))
	@set -e; for t in $$^; do echo "== $$$$t"; $$$$t; done
.PHONY: unit-$(1)
endef
$(foreach l,$(LAYERS),$(eval $(call unit_rule,$(l))))

unit: $(UNIT_BIN)

clean:
	rm -rf build build-address build-thread build-fuzz

.PHONY: all unit clean
.SECONDARY:
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
