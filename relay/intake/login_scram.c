/* relay/intake/login_scram.c - AUTH SCRAM-SHA-256, the server's side of the messages (RFC 5802 section 5, RFC 7677). No channel binding. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/intake/base64.h"
#include "relay/intake/dialog.h"
#include "relay/net/scram.h"

#define NONCE_MAX  256 /* of the client */
#define HEADER_MAX 300 /* gs2-header: flag and authorization identity */

/* From the client's first message to the end of the exchange. */
struct login_scram {
	char user[LOGIN_USER_MAX + 1];
	char header[HEADER_MAX];       /* gs2-header, "n,," */
	char *first_bare;              /* client-first-message-bare */
	char nonce[NONCE_MAX + 25];    /* the client's and ours */
	char server_first[NONCE_MAX + 200];
	struct scram_verifier verifier;
	bool known, other_identity;
	char signature[45];
};

void login_scram_free(struct login_scram **scram)
{
	struct login_scram *s = *scram;

	*scram = NULL;
	if (s == NULL)
		return;
	free(s->first_bare);
	explicit_bzero(s, sizeof(*s));
	free(s);
}

static void malformed(struct dialog *d)
{
	login_abandon(d, "501 5.5.2 malformed SCRAM message");
}

/* --- the client's first message ------------------------------------------------------------------------------------------- */

/* saslname: ',' and '=' come as =2C and =3D. `len` bytes. */
static bool decode_name(const char *text, size_t len, char out[LOGIN_USER_MAX + 1])
{
	size_t used = 0;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (c == '=') {
			if (len - i < 3 || (strncmp(text + i, "=2C", 3) != 0 && strncmp(text + i, "=3D", 3) != 0))
				return false;
			c = text[i + 2] == 'C' ? ',' : '=';
			i += 2;
		}
		if (used == LOGIN_USER_MAX)
			return false;
		out[used++] = c;
	}
	out[used] = '\0';
	return used > 0;
}

static bool is_nonce(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] <= ' ' || text[i] > '~')
			return false;
	return len > 0 && len <= NONCE_MAX;
}

/* gs2-header: "n,", "y," (the client could bind, but thinks that we cannot: right) or "p=...,", then maybe "a=" name, then ",". Returns what
 * follows, NULL when malformed. */
static const char *parse_header(struct login_scram *s, const char *text, char authzid[LOGIN_USER_MAX + 1])
{
	const char *end = (text[0] == 'n' || text[0] == 'y') && text[1] == ',' ? strchr(text + 2, ',') : NULL;
	size_t len = end != NULL ? (size_t)(end - text) + 1 : 0;

	authzid[0] = '\0';
	if (end == NULL || len >= HEADER_MAX)
		return NULL;
	memcpy(s->header, text, len);
	s->header[len] = '\0';
	if (len > 3 && (strncmp(text + 2, "a=", 2) != 0 || !decode_name(text + 4, len - 5, authzid)))
		return NULL;
	return end + 1;
}

/* "n=" name ",r=" nonce, and extensions that we know none of. */
static bool parse_bare(struct login_scram *s, const char *bare)
{
	const char *name_end = strncmp(bare, "n=", 2) == 0 ? strchr(bare, ',') : NULL, *nonce;
	size_t nonce_len;

	if (name_end == NULL || strncmp(name_end, ",r=", 3) != 0 || !decode_name(bare + 2, (size_t)(name_end - bare) - 2, s->user))
		return false;
	nonce = name_end + 3;
	nonce_len = strcspn(nonce, ",");
	if (!is_nonce(nonce, nonce_len))
		return false;
	memcpy(s->nonce, nonce, nonce_len);
	scram_nonce(s->nonce + nonce_len);
	return true;
}

static void find_verifier(struct login_scram *s, const struct conf *conf)
{
	const struct conf_login *login = NULL;

	s->known = conf_tenant_by_login(conf, s->user, &login) != NULL && login->hash != NULL &&
	    scram_verifier_parse(login->hash, &s->verifier);
	if (!s->known)
		scram_verifier_pretend(s->user, &s->verifier);
}

void login_scram_first(struct dialog *d, char *text, size_t len)
{
	struct login_scram *s = xcalloc(1, sizeof(*s));
	char authzid[LOGIN_USER_MAX + 1];
	const char *bare = memchr(text, 0, len) == NULL ? parse_header(s, text, authzid) : NULL;

	d->scram = s;
	if (bare == NULL || !parse_bare(s, bare)) {
		malformed(d);
		return;
	}
	s->other_identity = authzid[0] != '\0' && strcmp(authzid, s->user) != 0;
	s->first_bare = xstrdup(bare);
	find_verifier(s, d->conf);
	snprintf(s->server_first, sizeof(s->server_first), "r=%s,s=%s,i=%u", s->nonce, s->verifier.salt_text, s->verifier.iterations);
	login_challenge(d, LOGIN_SCRAM_FINAL, s->server_first);
}

/* --- the client's final message ------------------------------------------------------------------------------------------- */

/* What must stand before the proof: the header again, and the nonce. */
static bool is_bound(const struct login_scram *s, const char *text, size_t len)
{
	char header[HEADER_MAX / 3 * 4 + 5], want[sizeof(header) + sizeof(s->nonce) + 10];
	int want_len;

	scram_encode(s->header, strlen(s->header), header);
	want_len = snprintf(want, sizeof(want), "c=%s,r=%s", header, s->nonce);
	return len >= (size_t)want_len && strncmp(text, want, (size_t)want_len) == 0 && (text[want_len] == ',' || len == (size_t)want_len);
}

static bool is_proven(struct login_scram *s, const char *without_proof, const uint8_t proof[SCRAM_KEY])
{
	char *message = xasprintf("%s,%s,%s", s->first_bare, s->server_first, without_proof);
	bool proven = scram_check_proof(&s->verifier, message, proof);

	scram_server_signature(&s->verifier, message, s->signature);
	free(message);
	return proven && s->known && !s->other_identity;
}

void login_scram_final(struct dialog *d, char *text, size_t len)
{
	struct login_scram *s = d->scram;
	char *last = strrchr(text, ',');
	char proof[48]; /* of 44 characters of base64, decoded with room to spare */
	size_t proof_len = 0;

	if (memchr(text, 0, len) != NULL || last == NULL || strncmp(last, ",p=", 3) != 0 || strlen(last + 3) != 44 ||
	    base64_decode(last + 3, 44, proof, &proof_len) != OK || proof_len != SCRAM_KEY ||
	    !is_bound(s, text, (size_t)(last - text))) {
		malformed(d);
		return;
	}
	*last = '\0';
	login_check_decided(d, s->user, is_proven(s, text, (const uint8_t *)proof));
}

/* --- our proof, and the end ------------------------------------------------------------------------------------------------ */

void login_scram_prove(struct dialog *d)
{
	char text[60];

	snprintf(text, sizeof(text), "v=%s", d->scram->signature);
	login_challenge(d, LOGIN_SCRAM_END, text);
}

void login_scram_end(struct dialog *d, char *text, size_t len)
{
	char user[LOGIN_USER_MAX + 1];

	if (len > 0) {
		malformed(d);
		return;
	}
	memcpy(user, d->scram->user, sizeof(user));
	login_succeed(d, user, false);
}
