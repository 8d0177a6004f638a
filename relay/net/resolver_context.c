/* relay/net/resolver_context.c - libunbound contexts with the options and trust anchors of the configuration.
 *
 * Anchors are read here record by record, and not by libunbound: it would tell of a bad file only at the first question, without the
 * line, and the root's anchor must be separable from the others. */
#include "relay/net/resolver_context.h"

#include <errno.h>
#include <ldns/ldns.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROOT_ANCHOR "/usr/share/dns/root.key" /* of dns-root-data, kept up to date by the distribution */

/* The library's defaults are for a tool that asks one question. */
static const struct {
	const char *name, *value;
} options[] = {
	{ "outgoing-range:", "512" },          /* questions under way; 16 by default */
	{ "num-queries-per-thread:", "4096" },
	{ "msg-cache-size:", "8m" },
	{ "rrset-cache-size:", "16m" },
	{ "key-cache-size:", "4m" },
	{ "cache-max-negative-ttl:", "900" },  /* a domain that was mended gets its mail within the quarter of an hour */
	{ "infra-cache-max-rtt:", "4000" },    /* ms; a forwarder that was down for a moment is asked again soon */
	{ "outbound-msg-retry:", "3" },
	{ "do-not-query-localhost:", "no" },   /* forwarders on loopback are usual */
};

/* --- anchors ------------------------------------------------------------------------------------------------------------- */

static void anchors_add(struct resolver_anchors *anchors, const ldns_rr *rr)
{
	char *record = ldns_rr2str_fmt(ldns_output_format_nocomments, rr);
	bool root = ldns_dname_label_count(ldns_rr_owner(rr)) == 0;

	must(record != NULL);
	record[strcspn(record, "\n")] = '\0';
	anchors->list = xrealloc(anchors->list, (anchors->count + 1) * sizeof(*anchors->list));
	anchors->list[anchors->count].record = record;
	anchors->list[anchors->count++].root = root;
	anchors->has_root = anchors->has_root || root;
	anchors->has_own = anchors->has_own || !root;
}

static enum err add_record(struct resolver_anchors *anchors, const ldns_rr *rr, const char *file, int line, struct err_detail *why)
{
	ldns_rr_type type = ldns_rr_get_type(rr);

	if (type != LDNS_RR_TYPE_DS && type != LDNS_RR_TYPE_DNSKEY)
		return err_set(why, ERR_INVALID, "trust anchor %s:%d: neither a DS nor a DNSKEY record", file, line);
	anchors_add(anchors, rr);
	return OK;
}

static enum err read_records(struct resolver_anchors *anchors, FILE *in, const char *file, struct err_detail *why)
{
	ldns_rdf *origin = NULL, *previous = NULL;
	uint32_t ttl = 0;
	int line = 1;
	enum err err = OK;

	while (err == OK && !feof(in)) {
		ldns_rr *rr = NULL;
		int at = line; /* `line` is the next one afterwards */
		ldns_status status = ldns_rr_new_frm_fp_l(&rr, in, &ttl, &origin, &previous, &line);

		if (status == LDNS_STATUS_OK)
			err = add_record(anchors, rr, file, at, why);
		else if (status != LDNS_STATUS_SYNTAX_EMPTY && status != LDNS_STATUS_SYNTAX_TTL && status != LDNS_STATUS_SYNTAX_ORIGIN)
			err = err_set(why, ERR_INVALID, "trust anchor %s:%d: %s", file, at, ldns_get_errorstr_by_id(status));
		ldns_rr_free(rr);
	}
	ldns_rdf_deep_free(origin);
	ldns_rdf_deep_free(previous);
	return err;
}

static enum err load_file(struct resolver_anchors *anchors, const char *file, struct err_detail *why)
{
	size_t before = anchors->count;
	FILE *in = fopen(file, "re");
	enum err err;

	if (in == NULL)
		return err_set(why, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "trust anchor %s: %s", file, strerror(errno));
	err = read_records(anchors, in, file, why);
	fclose(in);
	if (err == OK && anchors->count == before)
		return err_set(why, ERR_INVALID, "trust anchor %s: no record inside", file);
	return err;
}

enum err resolver_anchors_load(const struct conf_dns *dns, struct resolver_anchors *out, struct err_detail *why)
{
	enum err err = OK;

	memset(out, 0, sizeof(*out));
	if (!dns->anchors_given)
		err = load_file(out, ROOT_ANCHOR, why);
	for (size_t i = 0; err == OK && i < dns->anchor_count; i++)
		err = load_file(out, dns->anchors[i], why);
	if (err != OK)
		resolver_anchors_free(out);
	return err;
}

void resolver_anchors_free(struct resolver_anchors *anchors)
{
	for (size_t i = 0; i < anchors->count; i++)
		free(anchors->list[i].record);
	free(anchors->list);
	memset(anchors, 0, sizeof(*anchors));
}

/* --- contexts ------------------------------------------------------------------------------------------------------------ */

static enum err set_option(struct ub_ctx *ctx, const char *name, const char *value, struct err_detail *why)
{
	int code = ub_ctx_set_option(ctx, name, value);

	return code == 0 ? OK : err_set(why, ERR_INVALID, "resolver option %s %s: %s", name, value, ub_strerror(code));
}

static enum err set_forward(struct ub_ctx *ctx, const struct ip_port *at, struct err_detail *why)
{
	char ip[IP_TEXT], text[IP_TEXT + 8];
	int code;

	snprintf(text, sizeof(text), "%s@%u", ip_format(&at->addr, ip), at->port);
	code = ub_ctx_set_fwd(ctx, text);
	return code == 0 ? OK : err_set(why, ERR_INVALID, "resolver %s: %s", text, ub_strerror(code));
}

static enum err set_forwards(struct ub_ctx *ctx, const struct conf_dns *dns, struct err_detail *why)
{
	enum err err = OK;

	/* A file that cannot be read leaves us with the root's servers, which is an answer too. */
	if (dns->forward_count == 0)
		(void)ub_ctx_resolvconf(ctx, NULL);
	for (size_t i = 0; err == OK && i < dns->forward_count; i++)
		err = set_forward(ctx, &dns->forward[i], why);
	/* Who names resolvers of his own may well have a test. there (RFC 6761 section 6.2); libunbound would deny it by itself. */
	if (err == OK && dns->forward_count > 0)
		err = set_option(ctx, "local-zone:", "test. transparent", why);
	return err;
}

static enum err set_anchors(struct ub_ctx *ctx, const struct resolver_anchors *anchors, enum resolver_trust trust, struct err_detail *why)
{
	size_t used = 0;

	for (size_t i = 0; trust != RESOLVER_TRUST_NONE && i < anchors->count; i++) {
		int code;

		if (trust == RESOLVER_TRUST_OWN && anchors->list[i].root)
			continue;
		code = ub_ctx_add_ta(ctx, anchors->list[i].record);
		if (code != 0)
			return err_set(why, ERR_INVALID, "trust anchor %s: %s", anchors->list[i].record, ub_strerror(code));
		used++;
	}
	/* Names below no anchor are not validated, so plain zones stay answerable beside a signed one of ours. */
	return used > 0 ? OK : set_option(ctx, "module-config:", "iterator", why);
}

static enum err set_all(struct ub_ctx *ctx, const struct conf_dns *dns, const struct resolver_anchors *anchors, enum resolver_trust trust,
    struct err_detail *why)
{
	enum err err = OK;

	for (size_t i = 0; err == OK && i < ARRAY_LEN(options); i++)
		err = set_option(ctx, options[i].name, options[i].value, why);
	if (err == OK)
		err = set_forwards(ctx, dns, why);
	if (err == OK)
		err = set_anchors(ctx, anchors, trust, why);
	return err;
}

static void ignore_answer(void *arg, int rcode, void *packet, int len, int sec, char *why, int limited)
{
}

/* Much is checked only with the first question: ask one that libunbound answers by itself. */
static enum err finalize(struct ub_ctx *ctx, struct err_detail *why)
{
	int code = ub_resolve_event(ctx, "localhost", LDNS_RR_TYPE_A, LDNS_RR_CLASS_IN, NULL, ignore_answer, NULL);

	return code == 0 ? OK : err_set(why, ERR_INVALID, "the resolver does not start: %s", ub_strerror(code));
}

struct ub_ctx *resolver_context_create(struct event_base *base, const struct conf_dns *dns, const struct resolver_anchors *anchors,
    enum resolver_trust trust, struct err_detail *why)
{
	struct ub_ctx *ctx = ub_ctx_create_event(base);

	if (ctx == NULL) {
		(void)err_set(why, ERR_IO, "the resolver cannot be created: %s", strerror(errno));
		return NULL;
	}
	/* It would write to standard error in a form of its own. */
	(void)ub_ctx_debugout(ctx, NULL);
	if (set_all(ctx, dns, anchors, trust, why) == OK && finalize(ctx, why) == OK)
		return ctx;
	ub_ctx_delete(ctx);
	return NULL;
}
