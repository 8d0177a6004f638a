/* relay/sign/author.c - the domain of a From field, by which the signing key is chosen. */
#include "relay/sign/author.h"

#include <idn2.h>
#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"

#define SPEC_MAX 1024 /* bytes of an address that are looked at */

/* One address list while it is read. Only what may be an address is gathered in `spec`: not comments, not what is quoted. */
struct list {
	const char *p, *end;
	size_t addresses;
	bool angle;    /* inside <> */
	bool bracketed; /* this mailbox had its <> */
	bool at;       /* `spec` has an @ */
	size_t len;
	char spec[SPEC_MAX];
	char first[SPEC_MAX]; /* of the first address, what follows its last @ */
	author_fn fn;         /* told of each; NULL: nobody is */
	void *arg;
};

/* `p` stands on a quote: to behind its end. What is inside is a local part or a name, never a domain. */
static const char *skip_quoted(const char *p, const char *end)
{
	for (p++; p < end && *p != '"'; p++)
		if (*p == '\\' && end - p > 1)
			p++;
	return p < end ? p + 1 : end;
}

/* `p` stands on a parenthesis: to behind its match. Comments nest (RFC 5322 section 3.2.2). */
static const char *skip_comment(const char *p, const char *end)
{
	unsigned depth = 0;

	for (; p < end; p++) {
		if (*p == '\\' && end - p > 1)
			p++;
		else if (*p == '(')
			depth++;
		else if (*p == ')' && --depth == 0)
			return p + 1;
	}
	return end;
}

/* Letters, digits, hyphens and dots in labels of 1..63 bytes; not an address literal. */
static bool is_domain(const char *text)
{
	size_t label = 0, len = strlen(text);

	if (len == 0 || len >= AUTHOR_DOMAIN)
		return false;
	for (const char *p = text; *p; p++) {
		if (*p == '.' ? label == 0 : !ascii_is_alpha(*p) && !ascii_is_digit(*p) && *p != '-' && *p != '_')
			return false;
		label = *p == '.' ? 0 : label + 1;
		if (label > 63)
			return false;
	}
	return label > 0;
}

/* A-labels in lower case; "" when it is no domain name. */
static void to_ascii(const char *domain, char out[AUTHOR_DOMAIN])
{
	char *ascii = NULL;

	out[0] = '\0';
	if (idn2_to_ascii_8z(domain, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK)
		return;
	ascii_lower_str(ascii);
	if (is_domain(ascii))
		memcpy(out, ascii, strlen(ascii) + 1);
	free(ascii);
}

static void spec_reset(struct list *l)
{
	l->len = 0;
	l->at = false;
}

static void spec_add(struct list *l, char c)
{
	l->at = l->at || c == '@';
	if (l->len < SPEC_MAX - 1)
		l->spec[l->len++] = c;
}

/* A comma, or the end. Text without an @ is an address without a domain; nothing at all is none. */
static void mailbox_end(struct list *l)
{
	char *at;

	if (l->len > 0 || l->bracketed) {
		l->spec[l->len] = '\0';
		at = strrchr(l->spec, '@');
		if (l->addresses++ == 0 && at)
			memcpy(l->first, at + 1, strlen(at + 1) + 1);
		if (l->fn) {
			char domain[AUTHOR_DOMAIN];

			to_ascii(at ? at + 1 : "", domain);
			l->fn(l->arg, domain);
		}
	}
	spec_reset(l);
	l->angle = l->bracketed = false;
}

static void take(struct list *l, char c)
{
	switch (c) {
	case '<':
		spec_reset(l);
		l->angle = l->bracketed = true;
		break;
	case '>':
		l->angle = false;
		break;
	case ',':
	case ';':
		if (!l->angle) /* inside it separates the hosts of a source route (RFC 5322 section 4.4) */
			mailbox_end(l);
		break;
	case ':':
		spec_reset(l); /* what stands before is the name of a group, or a source route */
		break;
	case ' ':
	case '\t':
	case '\r':
	case '\n':
		break;
	default:
		if (l->angle || !l->bracketed)
			spec_add(l, c);
	}
}

static void read_list(struct list *l)
{
	while (l->p < l->end) {
		if (*l->p == '"') {
			spec_add(l, 'q'); /* a local part that is not empty */
			l->p = skip_quoted(l->p, l->end);
		} else if (*l->p == '(') {
			l->p = skip_comment(l->p, l->end);
		} else {
			take(l, *l->p++);
		}
	}
	mailbox_end(l);
}

enum err author_domain(const char *value, size_t len, char out[AUTHOR_DOMAIN])
{
	struct list list = { .p = value, .end = value + len };

	out[0] = '\0';
	read_list(&list);
	if (list.addresses > 1)
		return ERR_LIMIT;
	if (!memchr(value, '\0', len))
		to_ascii(list.first, out);
	return out[0] != '\0' ? OK : ERR_NOT_FOUND;
}

size_t author_each(const char *value, size_t len, author_fn fn, void *arg)
{
	struct list list = { .p = value, .end = value + len, .fn = fn, .arg = arg };

	read_list(&list);
	return list.addresses;
}
