/* relay/sign/dkim_key.c - private keys of DKIM: load, make, sign, and the DNS record of the public half. */
#include "relay/sign/dkim_key.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RSA_BITS_MIN   1024
#define RSA_BITS_GOOD  2048
#define RSA_BITS_WIDE  4096 /* RFC 8301 section 3.2: what verifiers must be able to check */
#define RSA_BITS_MAX   (8 * DKIM_SIGNATURE_MAX)
#define PEM_BYTES_MAX  65536
#define ED25519_BYTES  32
#define RSA2048_US     400 /* measured 250 */
#define ED25519_US     80  /* measured 45 */

struct dkim_key {
	EVP_PKEY *pkey;
	enum dkim_type type;
	unsigned bits;
};

static const struct {
	const char *name, *algorithm, *openssl;
} TYPES[DKIM_TYPES] = {
	[DKIM_RSA] = { "rsa", "rsa-sha256", "RSA" },
	[DKIM_ED25519] = { "ed25519", "ed25519-sha256", "ED25519" },
};

const char *dkim_type_algorithm(enum dkim_type type)
{
	return TYPES[type].algorithm;
}

const char *dkim_type_name(enum dkim_type type)
{
	return TYPES[type].name;
}

enum dkim_type dkim_key_type(const struct dkim_key *key)
{
	return key->type;
}

unsigned dkim_key_bits(const struct dkim_key *key)
{
	return key->bits;
}

/* The private operation of RSA grows with the cube of its length. */
unsigned dkim_key_cost_us(const struct dkim_key *key)
{
	uint64_t bits = key->bits;

	if (key->type == DKIM_ED25519)
		return ED25519_US;
	return (unsigned)(RSA2048_US * bits * bits * bits / (2048ull * 2048 * 2048));
}

/* `why` gets `doing` and OpenSSL's reason. */
static enum err trouble(struct err_detail *why, enum err code, const char *doing)
{
	const char *reason = ERR_reason_error_string(ERR_peek_last_error());

	ERR_clear_error();
	return err_set(why, code, "%s: %s", doing, reason ? reason : "OpenSSL gives no reason");
}

/* --- loading ------------------------------------------------------------------------------------------------------------- */

/* Without one OpenSSL would ask at the terminal. */
static int no_password(char *out, int size, int writing, void *asked)
{
	*(bool *)asked = true;
	return -1;
}

static enum err check_rsa(const struct dkim_key *key, const char **warning_out, struct err_detail *why)
{
	if (key->bits < RSA_BITS_MIN)
		return err_set(why, ERR_INVALID, "RSA key of %u bits, expected 2048", key->bits);
	if (key->bits > RSA_BITS_MAX)
		return err_set(why, ERR_LIMIT, "RSA key of %u bits, expected 2048", key->bits);
	if (key->bits < RSA_BITS_GOOD)
		*warning_out = "RSA key below 2048 bits: receivers may not trust it";
	else if (key->bits > RSA_BITS_WIDE)
		*warning_out = "RSA key above 4096 bits: receivers may not be able to verify it";
	return OK;
}

static enum err classify(struct dkim_key *key, const char **warning_out, struct err_detail *why)
{
	const char *name = EVP_PKEY_get0_type_name(key->pkey);
	size_t type = 0;

	while (type < DKIM_TYPES && !EVP_PKEY_is_a(key->pkey, TYPES[type].openssl))
		type++;
	if (type == DKIM_TYPES)
		return err_set(why, ERR_INVALID, "private key of type %s, expected RSA or Ed25519", name ? name : "unknown");
	key->type = (enum dkim_type)type;
	key->bits = (unsigned)EVP_PKEY_get_bits(key->pkey);
	return key->type == DKIM_RSA ? check_rsa(key, warning_out, why) : OK;
}

struct dkim_key *dkim_key_parse(const char *pem, size_t len, const char **warning_out, struct err_detail *why)
{
	struct dkim_key *key = xcalloc(1, sizeof(*key));
	const char *none;
	BIO *bio = BIO_new_mem_buf(pem, (int)len);
	bool encrypted = false;

	if (!warning_out)
		warning_out = &none;
	*warning_out = NULL;
	must(bio && len <= PEM_BYTES_MAX);
	key->pkey = PEM_read_bio_PrivateKey(bio, NULL, no_password, &encrypted);
	BIO_free(bio);
	if (!key->pkey) {
		ERR_clear_error();
		(void)err_set(why, ERR_INVALID, "found %s, expected a private key in PEM",
		    encrypted ? "an encrypted key" : "no private key");
		dkim_key_destroy(&key);
	} else if (classify(key, warning_out, why) != OK) {
		dkim_key_destroy(&key);
	}
	return key;
}

/* Secrets are wiped by whoever hands in `out`. */
static enum err read_all(const char *path, char *out, size_t *len_out, struct err_detail *why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	size_t len = 0;
	ssize_t got = 1;

	if (fd < 0)
		return err_set(why, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "cannot be opened (%s)", strerror(errno));
	while (len < PEM_BYTES_MAX && (got = read(fd, out + len, PEM_BYTES_MAX - len)) > 0)
		len += (size_t)got;
	if (got < 0)
		(void)err_set(why, ERR_IO, "cannot be read (%s)", strerror(errno));
	close(fd);
	*len_out = len;
	return got < 0 ? ERR_IO : OK;
}

struct dkim_key *dkim_key_load(const char *path, const char **warning_out, struct err_detail *why)
{
	char *pem = xcalloc(1, PEM_BYTES_MAX);
	struct dkim_key *key = NULL;
	size_t len = 0;

	if (read_all(path, pem, &len, why) == OK)
		key = dkim_key_parse(pem, len, warning_out, why);
	OPENSSL_cleanse(pem, PEM_BYTES_MAX);
	free(pem);
	return key;
}

void dkim_key_destroy(struct dkim_key **key)
{
	if (*key) {
		EVP_PKEY_free((*key)->pkey);
		free(*key);
	}
	*key = NULL;
}

/* --- making -------------------------------------------------------------------------------------------------------------- */

struct dkim_key *dkim_key_generate(enum dkim_type type, unsigned bits, struct err_detail *why)
{
	struct dkim_key *key = xcalloc(1, sizeof(*key));

	key->pkey = type == DKIM_RSA ? EVP_RSA_gen(bits) : EVP_PKEY_Q_keygen(NULL, NULL, TYPES[type].openssl);
	key->type = type;
	if (!key->pkey) {
		(void)trouble(why, ERR_IO, "cannot make a key");
		dkim_key_destroy(&key);
		return NULL;
	}
	key->bits = (unsigned)EVP_PKEY_get_bits(key->pkey);
	return key;
}

static enum err write_all(int fd, const char *data, size_t len, const char *path, struct err_detail *why)
{
	while (len > 0) {
		ssize_t put = write(fd, data, len);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return err_set(why, errno == ENOSPC || errno == EDQUOT ? ERR_FULL : ERR_IO, "cannot write %s: %s", path,
			    strerror(errno));
		data += put;
		len -= (size_t)put;
	}
	if (fsync(fd) != 0)
		return err_set(why, ERR_IO, "cannot write %s: %s", path, strerror(errno));
	return OK;
}

enum err dkim_key_write(const struct dkim_key *key, const char *path, struct err_detail *why)
{
	BIO *bio = BIO_new(BIO_s_secmem());
	enum err err;
	char *pem;
	long len;
	int fd;

	must(bio);
	if (PEM_write_bio_PKCS8PrivateKey(bio, key->pkey, NULL, NULL, 0, NULL, NULL) != 1) {
		BIO_free(bio);
		return trouble(why, ERR_IO, "cannot encode the key");
	}
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		err = err_set(why, errno == EEXIST ? ERR_EXISTS : ERR_IO, "cannot create %s: %s", path, strerror(errno));
	} else {
		len = BIO_get_mem_data(bio, &pem);
		err = write_all(fd, pem, (size_t)len, path, why);
		close(fd);
		if (err != OK)
			(void)unlink(path);
	}
	BIO_free(bio); /* wipes what it holds */
	return err;
}

/* RSA: SubjectPublicKeyInfo, as everybody does (RFC 6376 section 3.6.1); Ed25519: the bare 32 bytes (RFC 8463 section 4.2). */
static int public_half(const struct dkim_key *key, unsigned char **out)
{
	size_t len = ED25519_BYTES;

	if (key->type == DKIM_RSA)
		return i2d_PUBKEY(key->pkey, out);
	*out = OPENSSL_malloc(len);
	must(*out && EVP_PKEY_get_raw_public_key(key->pkey, *out, &len) == 1);
	return (int)len;
}

enum err dkim_key_record(const struct dkim_key *key, struct buf *out)
{
	unsigned char *data = NULL;
	int len = public_half(key, &data);
	enum err err;
	char *text;

	must(len > 0);
	text = xcalloc(1, (size_t)len * 4 / 3 + 8);
	(void)EVP_EncodeBlock((unsigned char *)text, data, len);
	err = buf_printf(out, "v=DKIM1; k=%s; p=%s", dkim_type_name(key->type), text);
	free(text);
	OPENSSL_free(data);
	return err;
}

/* --- signing ------------------------------------------------------------------------------------------------------------- */

static bool sign_rsa(EVP_PKEY *pkey, const uint8_t *hash, uint8_t *out, size_t *len)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
	bool done = ctx && EVP_PKEY_sign_init(ctx) == 1 && EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 &&
	    EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) == 1 && EVP_PKEY_sign(ctx, out, len, hash, DKIM_HASH) == 1;

	EVP_PKEY_CTX_free(ctx);
	return done;
}

/* PureEdDSA over the SHA-256 of the header (RFC 8463 section 3). */
static bool sign_ed25519(EVP_PKEY *pkey, const uint8_t *hash, uint8_t *out, size_t *len)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool done = ctx && EVP_DigestSignInit(ctx, NULL, NULL, NULL, pkey) == 1 &&
	    EVP_DigestSign(ctx, out, len, hash, DKIM_HASH) == 1;

	EVP_MD_CTX_free(ctx);
	return done;
}

enum err dkim_key_sign(
    const struct dkim_key *key, const uint8_t hash[DKIM_HASH], uint8_t *out, size_t *len_out, struct err_detail *why)
{
	*len_out = DKIM_SIGNATURE_MAX;
	if (key->type == DKIM_RSA ? sign_rsa(key->pkey, hash, out, len_out) : sign_ed25519(key->pkey, hash, out, len_out))
		return OK;
	return trouble(why, ERR_IO, "cannot sign");
}
