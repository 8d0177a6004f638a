/* relay/net/resolver_context.h - libunbound contexts with the options and trust anchors of the configuration. */
#ifndef NET_RESOLVER_CONTEXT_H
#define NET_RESOLVER_CONTEXT_H

#include <event2/event.h>
#include <unbound-event.h>
#include <unbound.h>

#include "conf/conf.h"

/* Trust anchors as single records in text form. */
struct resolver_anchors {
	struct resolver_anchor {
		char *record;
		bool root;
	} *list;
	size_t count;
	bool has_root, has_own; /* an anchor of the root; of anything below */
};

/* Read the anchors of `dns`: its files, the root's when none are given, or nothing for []. ERR_INVALID with file and line in `why`, ERR_NOT_FOUND
 * or ERR_IO when a file cannot be read. */
MUST_USE enum err resolver_anchors_load(const struct conf_dns *dns, struct resolver_anchors *out, struct err_detail *why);
void resolver_anchors_free(struct resolver_anchors *anchors);

/* Which anchors a context believes in. OWN: those below the root; without any of that kind answers are not validated. */
enum resolver_trust { RESOLVER_TRUST_ALL, RESOLVER_TRUST_OWN, RESOLVER_TRUST_NONE };

/* A context on `base`, ready to be asked. NULL: an option or anchor was refused, `why` says which. Thread of `base`. */
struct ub_ctx *resolver_context_create(struct event_base *base, const struct conf_dns *dns, const struct resolver_anchors *anchors,
    enum resolver_trust trust, struct err_detail *why) MUST_USE;

#endif
