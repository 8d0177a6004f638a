/* relay/sign/keyring.c - the signing keys of one configuration, loaded, and which of them sign for a domain. */
#include "relay/sign/keyring.h"

#include <stdlib.h>
#include <string.h>

struct keyring {
	struct dkim_key **keys; /* as in conf->dkim */
	size_t count;
	struct dkim_signer *signers; /* by domain; those of one in the order of the file */
	const char *fallback;        /* in conf, or NULL */
};

static void keyring_destroy(void *arg)
{
	struct keyring *ring = arg;

	for (size_t i = 0; i < ring->count; i++)
		dkim_key_destroy(&ring->keys[i]);
	free(ring->keys);
	free(ring->signers);
	free(ring);
}

static int by_domain(const void *left, const void *right)
{
	return strcmp(((const struct dkim_signer *)left)->domain, ((const struct dkim_signer *)right)->domain);
}

/* Stable, unlike qsort; there are few keys. */
static void sort_signers(struct keyring *ring)
{
	for (size_t i = 1; i < ring->count; i++) {
		struct dkim_signer moving = ring->signers[i];
		size_t at = i;

		for (; at > 0 && by_domain(&ring->signers[at - 1], &moving) > 0; at--)
			ring->signers[at] = ring->signers[at - 1];
		ring->signers[at] = moving;
	}
}

static bool load_one(struct keyring *ring, size_t i, const struct conf *conf, struct conf_faults *faults)
{
	const struct conf_dkim *entry = &conf->dkim[i];
	const char *warning = NULL;
	struct err_detail why = { .text = "" };

	ring->keys[i] = dkim_key_load(entry->key, &warning, &why);
	ring->signers[i] = (struct dkim_signer){ entry->domain, entry->selector, ring->keys[i] };
	if (!ring->keys[i])
		conf_fault(conf, &entry->key, true, faults, "dkim.key: %s: %s", entry->key, why.text);
	else if (warning)
		conf_fault(conf, &entry->key, false, faults, "dkim.key: %s: %s", entry->key, warning);
	return ring->keys[i] != NULL;
}

bool keyring_attach(struct conf *conf, struct conf_faults *faults)
{
	struct keyring *ring;
	bool good = true;

	must(!conf->attached);
	if (conf->dkim_count == 0)
		return true;
	ring = xcalloc(1, sizeof(*ring));
	ring->count = conf->dkim_count;
	ring->keys = xcalloc(ring->count, sizeof(*ring->keys));
	ring->signers = xcalloc(ring->count, sizeof(*ring->signers));
	ring->fallback = conf->signing_fallback;
	for (size_t i = 0; i < ring->count; i++)
		good = load_one(ring, i, conf, faults) && good;
	if (!good) {
		keyring_destroy(ring);
		return false;
	}
	sort_signers(ring);
	conf->attached = ring;
	conf->attached_free = keyring_destroy;
	return true;
}

const struct keyring *keyring_of(const struct conf *conf)
{
	return conf->attached;
}

static size_t find_exact(const struct keyring *ring, const char *domain, const struct dkim_signer **out)
{
	struct dkim_signer wanted = { .domain = domain };
	const struct dkim_signer *end = ring->signers + ring->count, *first, *last;

	first = bsearch(&wanted, ring->signers, ring->count, sizeof(*ring->signers), by_domain);
	if (!first)
		return 0;
	while (first > ring->signers && by_domain(first - 1, &wanted) == 0)
		first--;
	for (last = first; last < end && last - first < DKIM_SIGNERS_MAX && by_domain(last, &wanted) == 0; last++)
		continue;
	*out = first;
	return (size_t)(last - first);
}

size_t keyring_find(const struct keyring *ring, const char *domain, const struct dkim_signer **out)
{
	for (const char *at = domain; at; at = strchr(at, '.')) {
		size_t count;

		if (*at == '.')
			at++;
		count = find_exact(ring, at, out);
		if (count > 0)
			return count;
	}
	return 0;
}

size_t keyring_fallback(const struct keyring *ring, const struct dkim_signer **out)
{
	return ring->fallback ? find_exact(ring, ring->fallback, out) : 0;
}
