/* relay/sign/signing.c - a message while it comes in: hashed if a key of ours will sign it, and its DKIM-Signature fields at the end. */
#include "relay/sign/signing.h"

#include <stdlib.h>

#include "base/ascii.h"

struct signing {
	const struct keyring *ring;
	char *const *domains;
	size_t domain_count;
	struct dkim *dkim;
	bool chosen; /* the header is complete and the next two are set */
	const struct dkim_signer *signers;
	size_t signer_count; /* 0: not signed */
	enum err trouble;    /* why it cannot be signed at all */
	struct err_detail why;
};

struct signing *signing_begin(const struct keyring *ring, char *const *domains, size_t domain_count)
{
	struct signing *signing;

	if (!ring)
		return NULL;
	signing = xcalloc(1, sizeof(*signing));
	signing->ring = ring;
	signing->domains = domains;
	signing->domain_count = domain_count;
	signing->dkim = dkim_create();
	return signing;
}

/* The author's domain is one of the submitter's. */
static bool may_sign_as(const struct signing *signing, const char *author)
{
	for (size_t i = 0; i < signing->domain_count; i++)
		if (ascii_equal(author, signing->domains[i]))
			return true;
	return signing->domain_count == 0;
}

static void choose(struct signing *signing)
{
	char author[AUTHOR_DOMAIN];
	enum err err = dkim_author(signing->dkim, author, &signing->why);

	signing->chosen = true;
	if (err == OK && may_sign_as(signing, author))
		signing->signer_count = keyring_find(signing->ring, author, &signing->signers);
	if (err != ERR_INVALID && signing->signer_count == 0)
		signing->signer_count = keyring_fallback(signing->ring, &signing->signers);
	if (err == ERR_INVALID)
		signing->trouble = err;
}

void signing_feed(struct signing *signing, const char *data, size_t len)
{
	if (!signing || (signing->chosen && signing->signer_count == 0))
		return;
	dkim_feed(signing->dkim, data, len);
	if (!signing->chosen && dkim_in_body(signing->dkim))
		choose(signing);
}

unsigned signing_cost_us(struct signing *signing)
{
	unsigned cost = 0;

	if (!signing)
		return 0;
	if (!signing->chosen)
		choose(signing); /* a message without a body */
	for (size_t i = 0; i < signing->signer_count; i++)
		cost += dkim_key_cost_us(signing->signers[i].key);
	return cost;
}

enum err signing_finish(struct signing *signing, wall_ms now, struct buf *out, struct err_detail *why)
{
	if (!signing)
		return OK;
	must(signing->chosen);
	if (signing->trouble != OK)
		return err_set(why, signing->trouble, "%s", signing->why.text);
	if (signing->signer_count == 0)
		return OK;
	return dkim_finish(signing->dkim, signing->signers, signing->signer_count, now, out, why);
}

void signing_end(struct signing **signing)
{
	if (!*signing)
		return;
	dkim_destroy(&(*signing)->dkim);
	free(*signing);
	*signing = NULL;
}
