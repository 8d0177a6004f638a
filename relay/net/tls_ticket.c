/* relay/net/tls_ticket.c - the keys of session tickets: one set for the whole process, changed every few hours. */
#include "relay/net/tls_ticket.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <string.h>

#define NAME_LEN 16 /* RFC 5077 section 4 */

struct ticket_key {
	unsigned char name[NAME_LEN], aes[32], hmac[32];
	mono_ms made; /* 0: no key */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct ticket_key current, former;

static void make_key(struct ticket_key *key, mono_ms now)
{
	must(RAND_bytes(key->name, sizeof(key->name)) == 1 && RAND_priv_bytes(key->aes, sizeof(key->aes)) == 1 &&
	    RAND_priv_bytes(key->hmac, sizeof(key->hmac)) == 1);
	key->made = now;
}

static bool is_stale(const struct ticket_key *key, mono_ms now, int64_t life)
{
	return key->made == 0 || now - key->made >= life;
}

/* Under the lock. */
static void turn_over(mono_ms now)
{
	if (!is_stale(&current, now, TLS_TICKET_PERIOD_MS))
		return;
	former = current;
	make_key(&current, now);
}

/* False: no such key any more. *renew_out: take the ticket, and hand out a new one. */
static bool find_key(mono_ms now, const unsigned char *name, struct ticket_key *out, bool *renew_out)
{
	bool found = true;

	pthread_mutex_lock(&lock);
	turn_over(now);
	*renew_out = false;
	if (name == NULL || memcmp(current.name, name, NAME_LEN) == 0) {
		*out = current;
	} else if (!is_stale(&former, now, 2 * TLS_TICKET_PERIOD_MS) && memcmp(former.name, name, NAME_LEN) == 0) {
		*out = former;
		*renew_out = true;
	} else {
		found = false;
	}
	pthread_mutex_unlock(&lock);
	return found;
}

static bool use_key(const struct ticket_key *key, const unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, bool encrypt)
{
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_octet_string(OSSL_MAC_PARAM_KEY, (void *)key->hmac, sizeof(key->hmac)),
		OSSL_PARAM_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, sizeof(digest) - 1),
		OSSL_PARAM_END,
	};

	return EVP_MAC_CTX_set_params(mac, params) == 1 &&
	    EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->aes, iv, encrypt ? 1 : 0) == 1;
}

/* SSL_CTX_set_tlsext_ticket_key_evp_cb(3): -1 error, 0 no ticket, 1 good, 2 good and to be renewed. */
static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int encrypt)
{
	struct ticket_key key;
	bool renew;
	int result;

	if (!find_key(clock_mono(), encrypt ? NULL : name, &key, &renew))
		return 0;
	if (encrypt) {
		memcpy(name, key.name, NAME_LEN);
		if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1)
			return -1;
	}
	result = use_key(&key, iv, cipher, mac, encrypt != 0) ? 1 : -1;
	explicit_bzero(&key, sizeof(key));
	/* TLS 1.3 hands out a new ticket with every session anyway. */
	return result == 1 && renew && SSL_version(ssl) < TLS1_3_VERSION ? 2 : result;
}

void tls_ticket_install(SSL_CTX *ctx)
{
	must(SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket) == 1);
	SSL_CTX_set_timeout(ctx, (long)(TLS_TICKET_PERIOD_MS / 1000));
}

void tls_ticket_key_name(mono_ms now, unsigned char name[NAME_LEN])
{
	struct ticket_key key;
	bool renew;

	must(find_key(now, NULL, &key, &renew));
	memcpy(name, key.name, NAME_LEN);
	explicit_bzero(&key, sizeof(key));
}

bool tls_ticket_is_known(mono_ms now, const unsigned char name[NAME_LEN])
{
	struct ticket_key key;
	bool renew, known = find_key(now, name, &key, &renew);

	explicit_bzero(&key, sizeof(key));
	return known;
}
