/* relay/net/dns_packet.c - a DNS answer in wire form as the values of resolver.h. ldns does the parsing. */
#include "relay/net/dns_packet.h"

#include <ldns/ldns.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "base/buf.h"

#define CNAMES_MAX 16 /* in a chain; longer ones are taken for loops, as resolvers do */
#define TXT_MAX    65535 /* bytes of a record */

/* The answer that is being made. */
struct reading {
	const ldns_pkt *packet;
	ldns_rr_type type;
	struct dns_answer *out;
	uint32_t ttl; /* the least of the records used so far */
};

static void fail(struct dns_answer *out, const char *why)
{
	out->status = DNS_FAILED;
	snprintf(out->why, sizeof(out->why), "%s", why);
}

static void note_ttl(struct reading *r, uint32_t ttl)
{
	if (ttl < r->ttl)
		r->ttl = ttl;
}

/* Lower case, without the last dot; "" is the root. malloc'ed, NULL: cannot be written down. */
static char *name_text(const ldns_rdf *name)
{
	char *text = ldns_rdf2str(name);
	size_t len = text != NULL ? strlen(text) : 0;

	if (len > 0 && text[len - 1] == '.')
		text[len - 1] = '\0';
	if (text != NULL)
		ascii_lower_str(text);
	return text;
}

static bool is_at(const ldns_rr *rr, const ldns_rdf *owner, ldns_rr_type type)
{
	return ldns_rr_get_type(rr) == type && ldns_rr_get_class(rr) == LDNS_RR_CLASS_IN &&
	    ldns_dname_compare(ldns_rr_owner(rr), owner) == 0;
}

static const ldns_rr *find_cname(const ldns_rr_list *records, const ldns_rdf *owner)
{
	for (size_t i = 0; i < ldns_rr_list_rr_count(records); i++)
		if (is_at(ldns_rr_list_rr(records, i), owner, LDNS_RR_TYPE_CNAME))
			return ldns_rr_list_rr(records, i);
	return NULL;
}

/* The name at the end of the chain that begins at `name`; NULL: it does not end. */
static const ldns_rdf *follow_cnames(struct reading *r, const ldns_rdf *name)
{
	const ldns_rr_list *records = ldns_pkt_answer(r->packet);

	for (unsigned hops = 0; hops < CNAMES_MAX; hops++) {
		const ldns_rr *cname = find_cname(records, name);

		if (cname == NULL)
			return name;
		note_ttl(r, ldns_rr_ttl(cname));
		name = ldns_rr_rdf(cname, 0);
	}
	return NULL;
}

/* Negative TTL (RFC 2308 section 5): the lesser of the SOA's own and its last field; without an SOA nothing may be kept. */
static void read_denial(struct reading *r)
{
	const ldns_rr_list *authority = ldns_pkt_authority(r->packet);

	for (size_t i = 0; i < ldns_rr_list_rr_count(authority); i++) {
		const ldns_rr *rr = ldns_rr_list_rr(authority, i);

		if (ldns_rr_get_type(rr) != LDNS_RR_TYPE_SOA || ldns_rr_rd_count(rr) < 7)
			continue;
		note_ttl(r, ldns_rr_ttl(rr));
		note_ttl(r, ldns_rdf2native_int32(ldns_rr_rdf(rr, 6)));
		r->out->ttl = r->ttl;
		return;
	}
}

static bool add_mx(struct dns_answer *out, struct dns_mx *list, const ldns_rr *rr)
{
	struct dns_mx *mx = &list[out->mx_count];

	if (ldns_rr_rd_count(rr) < 2)
		return false;
	mx->preference = ldns_rdf2native_int16(ldns_rr_rdf(rr, 0));
	mx->host = name_text(ldns_rr_rdf(rr, 1));
	if (mx->host == NULL)
		return false;
	out->mx_count++;
	return true;
}

static bool add_address(struct dns_answer *out, struct ip_addr *list, const ldns_rr *rr, ldns_rr_type type)
{
	struct ip_addr *addr = &list[out->addr_count];
	size_t size = type == LDNS_RR_TYPE_A ? 4 : 16;

	if (ldns_rr_rd_count(rr) < 1 || ldns_rdf_size(ldns_rr_rdf(rr, 0)) != size)
		return false;
	addr->family = type == LDNS_RR_TYPE_A ? AF_INET : AF_INET6;
	memcpy(addr->bytes, ldns_rdf_data(ldns_rr_rdf(rr, 0)), size);
	ip_unmap(addr); /* what the kernel would connect to over IPv4 must not pass as IPv6 in a check of networks */
	out->addr_count++;
	return true;
}

/* RFC 6698 section 2.1 */
static bool add_tlsa(struct dns_answer *out, struct tlsa *list, const ldns_rr *rr)
{
	struct tlsa *tlsa = &list[out->tlsa_count];
	const ldns_rdf *data;

	if (ldns_rr_rd_count(rr) < 4)
		return false;
	data = ldns_rr_rdf(rr, 3);
	*tlsa = (struct tlsa){
		.usage = ldns_rdf2native_int8(ldns_rr_rdf(rr, 0)),
		.selector = ldns_rdf2native_int8(ldns_rr_rdf(rr, 1)),
		.matching = ldns_rdf2native_int8(ldns_rr_rdf(rr, 2)),
		.len = ldns_rdf_size(data),
	};
	tlsa->data = xcalloc(1, tlsa->len + 1);
	memcpy(tlsa->data, ldns_rdf_data(data), tlsa->len);
	out->tlsa_count++;
	return true;
}

/* RFC 1035 section 3.3.14 */
static bool add_txt(struct dns_answer *out, char **list, const ldns_rr *rr)
{
	struct buf text;

	buf_init(&text, TXT_MAX);
	for (size_t i = 0; i < ldns_rr_rd_count(rr); i++) {
		const ldns_rdf *part = ldns_rr_rdf(rr, i);

		/* The first byte is the length of the others. */
		if (ldns_rdf_size(part) > 1 && buf_add(&text, ldns_rdf_data(part) + 1, ldns_rdf_size(part) - 1) != OK) {
			buf_fini(&text);
			return false;
		}
	}
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] == '\0')
			text.data[i] = '\1';
	list[out->txt_count++] = xstrdup(buf_str(&text));
	buf_fini(&text);
	return true;
}

/* The lists of `out`, as long as there are records in the packet. */
struct lists {
	struct dns_mx *mx;
	struct ip_addr *addrs;
	struct tlsa *tlsa;
	char **txt;
};

static bool add_record(struct reading *r, struct lists *lists, const ldns_rr *rr)
{
	switch (r->type) {
	case LDNS_RR_TYPE_MX:
		return add_mx(r->out, lists->mx, rr);
	case LDNS_RR_TYPE_TLSA:
		return add_tlsa(r->out, lists->tlsa, rr);
	case LDNS_RR_TYPE_TXT:
		return add_txt(r->out, lists->txt, rr);
	case LDNS_RR_TYPE_CNAME:
		return true;
	default:
		return add_address(r->out, lists->addrs, rr, r->type);
	}
}

/* False: a record is malformed. *found_out: how many there were. */
static bool read_records(struct reading *r, const ldns_rdf *owner, size_t *found_out)
{
	const ldns_rr_list *records = ldns_pkt_answer(r->packet);
	size_t count = ldns_rr_list_rr_count(records);
	struct lists lists = { 0 };

	if (r->type == LDNS_RR_TYPE_MX)
		r->out->mx = lists.mx = xcalloc(count + 1, sizeof(*lists.mx));
	else if (r->type == LDNS_RR_TYPE_TLSA)
		r->out->tlsa = lists.tlsa = xcalloc(count + 1, sizeof(*lists.tlsa));
	else if (r->type == LDNS_RR_TYPE_TXT)
		r->out->txt = lists.txt = xcalloc(count + 1, sizeof(*lists.txt));
	else
		r->out->addrs = lists.addrs = xcalloc(count + 1, sizeof(*lists.addrs));
	*found_out = 0;
	for (size_t i = 0; i < count; i++) {
		const ldns_rr *rr = ldns_rr_list_rr(records, i);

		if (!is_at(rr, owner, r->type))
			continue;
		note_ttl(r, ldns_rr_ttl(rr));
		if (!add_record(r, &lists, rr))
			return false;
		(*found_out)++;
	}
	return true;
}

static void read_answer(struct reading *r, const ldns_rdf *name)
{
	const ldns_rdf *end = r->type == LDNS_RR_TYPE_CNAME ? name : follow_cnames(r, name);
	size_t found;

	if (end == NULL) {
		fail(r->out, "CNAME loop");
		return;
	}
	r->out->canonical = name_text(end);
	switch (ldns_pkt_get_rcode(r->packet)) {
	case LDNS_RCODE_NXDOMAIN:
		r->out->status = DNS_NO_NAME;
		read_denial(r);
		return;
	case LDNS_RCODE_NOERROR:
		break;
	case LDNS_RCODE_REFUSED:
		fail(r->out, "the resolver refused the question");
		return;
	default:
		fail(r->out, "server failure");
		return;
	}
	if (!read_records(r, end, &found)) {
		fail(r->out, "malformed record");
		return;
	}
	if (found > 0) {
		r->out->status = DNS_FOUND;
		r->out->ttl = r->ttl;
	} else {
		r->out->status = DNS_NO_DATA;
		read_denial(r);
	}
}

void dns_packet_read(const void *packet, size_t len, const char *name, enum dns_type type, struct dns_answer *out)
{
	ldns_rdf *owner = ldns_dname_new_frm_str(name);
	ldns_pkt *parsed = NULL;
	struct reading r = { .type = (ldns_rr_type)type, .out = out, .ttl = UINT32_MAX };

	memset(out, 0, sizeof(*out));
	if (owner == NULL || ldns_wire2pkt(&parsed, packet, len) != LDNS_STATUS_OK) {
		fail(out, "malformed answer");
	} else {
		r.packet = parsed;
		read_answer(&r, owner);
	}
	ldns_pkt_free(parsed);
	ldns_rdf_deep_free(owner);
}

void dns_packet_free(struct dns_answer *answer)
{
	for (size_t i = 0; i < answer->mx_count; i++)
		free(answer->mx[i].host);
	free((void *)answer->mx);
	for (size_t i = 0; i < answer->txt_count; i++)
		free(answer->txt[i]);
	free((void *)answer->txt);
	free((void *)answer->addrs);
	tlsa_free((struct tlsa *)answer->tlsa, answer->tlsa_count);
	free((void *)answer->canonical);
	memset(answer, 0, sizeof(*answer));
}
