/* relay/sign/dkim.c - one message on its way to its DKIM-Signature fields: relaxed/relaxed, SHA-256, hashed while it streams by. */
#include "relay/sign/dkim.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "relay/sign/canonical.h"
#include "relay/sign/fold.h"

#define NAMES_MAX  256  /* in h= */
#define FIELDS_MAX 1000 /* of a header section; the work grows with names times fields */

/* What we sign, in the order of h= (RFC 6376 section 5.4.1; RFC 8058 section 4 for List-Unsubscribe-Post). Not trace fields, nor what the next
 * hops may change. */
static const struct {
	const char *name;
	bool once_more; /* a further one must not be added */
} SIGNED[] = {
	{ "From", true }, { "Reply-To", false }, { "Subject", true }, { "Date", true }, { "To", true }, { "Cc", false },
	{ "Message-ID", false }, { "In-Reply-To", false }, { "References", false },
	{ "MIME-Version", false }, { "Content-Type", false }, { "Content-Transfer-Encoding", false }, { "Content-ID", false },
	{ "Content-Description", false }, { "Content-Disposition", false }, { "Content-Language", false },
	{ "Resent-Date", false }, { "Resent-From", false }, { "Resent-To", false }, { "Resent-Cc", false }, { "Resent-Message-ID", false },
	{ "List-Id", false }, { "List-Help", false }, { "List-Unsubscribe", false }, { "List-Unsubscribe-Post", false },
	{ "List-Subscribe", false }, { "List-Post", false }, { "List-Owner", false }, { "List-Archive", false },
};

/* A field of the header section, by offsets, since the buffer moves. */
struct field {
	uint32_t start, len, name_len;
	bool used; /* for the hash under way */
};

struct dkim {
	struct buf header;
	size_t line_start; /* of the header line that is coming in */
	bool in_body, too_long;
	struct canonical_body body;
	EVP_MD_CTX *body_hash;
	struct field *fields; /* once the header is needed */
	size_t field_count;
};

/* --- SHA-256 ------------------------------------------------------------------------------------------------------------- */

/* Fetched once: a fetch for each message takes locks that all threads share. */
static EVP_MD *sha256;
static pthread_once_t sha256_once = PTHREAD_ONCE_INIT;

static void sha256_fetch(void)
{
	sha256 = EVP_MD_fetch(NULL, "SHA2-256", NULL);
	must(sha256);
}

static EVP_MD_CTX *hash_begin(void)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	must(pthread_once(&sha256_once, sha256_fetch) == 0);
	must(ctx && EVP_DigestInit_ex2(ctx, sha256, NULL) == 1);
	return ctx;
}

static void hash_add(void *arg, const void *data, size_t len)
{
	must(EVP_DigestUpdate(arg, data, len) == 1);
}

static void hash_end(EVP_MD_CTX *ctx, uint8_t out[DKIM_HASH])
{
	unsigned len;

	must(EVP_DigestFinal_ex(ctx, out, &len) == 1 && len == DKIM_HASH);
}

/* --- streaming ----------------------------------------------------------------------------------------------------------- */

struct dkim *dkim_create(void)
{
	struct dkim *dkim = xcalloc(1, sizeof(*dkim));

	buf_init(&dkim->header, DKIM_HEADER_MAX);
	dkim->body_hash = hash_begin();
	canonical_body_init(&dkim->body, hash_add, dkim->body_hash);
	return dkim;
}

void dkim_destroy(struct dkim **dkim)
{
	if (*dkim) {
		EVP_MD_CTX_free((*dkim)->body_hash);
		buf_fini(&(*dkim)->header);
		free((*dkim)->fields);
		free(*dkim);
	}
	*dkim = NULL;
}

bool dkim_in_body(const struct dkim *dkim)
{
	return dkim->in_body;
}

/* Take header bytes up to the end of a line; returns how many. */
static size_t feed_line(struct dkim *dkim, const char *data, size_t len)
{
	const char *lf = memchr(data, '\n', len);
	size_t taken = lf ? (size_t)(lf - data) + 1 : len;
	const struct buf *header = &dkim->header;

	if (buf_add(&dkim->header, data, taken) != OK) {
		dkim->too_long = true;
		return taken;
	}
	if (!lf)
		return taken;
	if (header->len - dkim->line_start == 2 && header->data[dkim->line_start] == '\r') {
		dkim->in_body = true;
		dkim->header.len = dkim->line_start; /* the empty line belongs to neither */
	}
	dkim->line_start = header->len;
	return taken;
}

void dkim_feed(struct dkim *dkim, const char *data, size_t len)
{
	while (len > 0 && !dkim->in_body && !dkim->too_long) {
		size_t taken = feed_line(dkim, data, len);

		data += taken;
		len -= taken;
	}
	if (!dkim->too_long)
		canonical_body_feed(&dkim->body, data, len);
}

/* --- header fields ------------------------------------------------------------------------------------------------------- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Where the line that begins at `at` ends, its LF included. */
static size_t line_end(const struct buf *header, size_t at)
{
	const char *lf = memchr(header->data + at, '\n', header->len - at);

	return lf ? (size_t)(lf - header->data) + 1 : header->len;
}

/* The field that begins at *at, moved on behind it. Lines without a colon are no field. */
static bool next_field(const struct buf *header, size_t *at, struct field *out)
{
	size_t start = *at, end = line_end(header, start);
	const char *colon;

	while (end < header->len && is_blank(header->data[end]))
		end = line_end(header, end);
	*at = end;
	colon = memchr(header->data + start, ':', end - start);
	if (!colon)
		return false;
	*out = (struct field){ .start = (uint32_t)start, .len = (uint32_t)(end - start),
		.name_len = (uint32_t)(colon - header->data - (ptrdiff_t)start) };
	while (out->name_len > 0 && is_blank(header->data[start + out->name_len - 1]))
		out->name_len--;
	return out->name_len > 0;
}

/* At most FIELDS_MAX + 1 of them. */
static void find_fields(struct dkim *dkim)
{
	size_t cap = 32;

	if (dkim->fields)
		return;
	dkim->fields = xcalloc(cap, sizeof(*dkim->fields));
	for (size_t at = 0; at < dkim->header.len && dkim->field_count <= FIELDS_MAX;) {
		if (dkim->field_count == cap) {
			cap *= 2;
			dkim->fields = xrealloc(dkim->fields, cap * sizeof(*dkim->fields));
		}
		if (next_field(&dkim->header, &at, &dkim->fields[dkim->field_count]))
			dkim->field_count++;
	}
}

static bool is_named(const struct dkim *dkim, const struct field *field, const char *name)
{
	return ascii_equal_n(dkim->header.data + field->start, field->name_len, name);
}

/* --- choice -------------------------------------------------------------------------------------------------------------- */

enum err dkim_author(const struct dkim *dkim, char out[AUTHOR_DOMAIN], struct err_detail *why)
{
	const struct buf *header = &dkim->header;
	const char *value = NULL;
	struct field field;
	size_t len = 0, found = 0;

	out[0] = '\0';
	if (dkim->too_long)
		return err_set(why, ERR_INVALID, "header section above %d bytes", DKIM_HEADER_MAX);
	for (size_t at = 0; at < header->len;) {
		if (!next_field(header, &at, &field) || !is_named(dkim, &field, "From") || found++ > 0)
			continue;
		value = memchr(header->data + field.start, ':', field.len);
		must(value != NULL);
		value++;
		len = field.len - (size_t)(value - header->data - (ptrdiff_t)field.start);
	}
	if (found == 0)
		return err_set(why, ERR_INVALID, "no From field"); /* RFC 6376 section 5.4: it must be signed */
	return found == 1 ? author_domain(value, len, out) : ERR_LIMIT;
}

/* --- signing ------------------------------------------------------------------------------------------------------------- */

void dkim_body_hash(struct dkim *dkim, uint8_t out[DKIM_HASH])
{
	canonical_body_end(&dkim->body);
	hash_end(dkim->body_hash, out);
}

/* RFC 6376 section 5.4.2: instances of a field are signed from the bottom up; names that are left over stand for nothing. */
static void hash_fields(struct dkim *dkim, const char *const *names, size_t count, EVP_MD_CTX *ctx)
{
	for (size_t i = 0; i < dkim->field_count; i++)
		dkim->fields[i].used = false;
	for (size_t n = 0; n < count; n++) {
		for (size_t i = dkim->field_count; i-- > 0;) {
			struct field *field = &dkim->fields[i];

			if (field->used || !is_named(dkim, field, names[n]))
				continue;
			field->used = true;
			canonical_field(dkim->header.data + field->start, field->len, true, hash_add, ctx);
			break;
		}
	}
}

void dkim_header_hash(
    struct dkim *dkim, const char *const *names, size_t count, const char *field, size_t len, uint8_t out[DKIM_HASH])
{
	EVP_MD_CTX *ctx = hash_begin();

	find_fields(dkim);
	hash_fields(dkim, names, count, ctx);
	canonical_field(field, len, false, hash_add, ctx);
	hash_end(ctx, out);
	EVP_MD_CTX_free(ctx);
}

/* The names of h=. 0: more than NAMES_MAX. */
static size_t choose_names(struct dkim *dkim, const char *names[NAMES_MAX])
{
	size_t count = 0;

	for (size_t s = 0; s < ARRAY_LEN(SIGNED); s++) {
		size_t times = SIGNED[s].once_more;

		for (size_t i = 0; i < dkim->field_count; i++)
			times += is_named(dkim, &dkim->fields[i], SIGNED[s].name);
		if (times > NAMES_MAX - count)
			return 0;
		while (times-- > 0)
			names[count++] = SIGNED[s].name;
	}
	return count;
}

/* Everything of all signatures that is the same. */
struct common {
	const char *const *names;
	size_t name_count;
	EVP_MD_CTX *fields; /* the hash of the fields that are signed */
	char body_hash[DKIM_HASH * 4 / 3 + 8];
	wall_ms now;
};

/* The field up to and with "b=". */
static enum err write_tags(struct fold *fold, const struct dkim_signer *signer, const struct common *common)
{
	fold_printf(fold, "", "DKIM-Signature: v=1;");
	fold_printf(fold, " ", "a=%s;", dkim_type_algorithm(dkim_key_type(signer->key)));
	fold_printf(fold, " ", "c=relaxed/relaxed;");
	fold_printf(fold, " ", "d=%s;", signer->domain);
	fold_printf(fold, " ", "s=%s;", signer->selector);
	fold_printf(fold, " ", "t=%lld;", (long long)(common->now / 1000));
	for (size_t i = 0; i < common->name_count; i++)
		fold_printf(fold, i == 0 ? " " : "", "%s%s%s", i == 0 ? "h=" : "", common->names[i],
		    i + 1 < common->name_count ? ":" : ";");
	fold_printf(fold, " ", "bh=%s;", common->body_hash);
	fold_printf(fold, " ", "b=");
	return fold_result(fold);
}

static enum err write_signature(struct fold *fold, const uint8_t *signature, size_t len)
{
	char text[DKIM_SIGNATURE_MAX * 4 / 3 + 8];

	(void)EVP_EncodeBlock((unsigned char *)text, signature, (int)len);
	fold_split(fold, text);
	fold_end(fold);
	return fold_result(fold);
}

static enum err sign_one(
    const struct dkim_signer *signer, const struct common *common, struct buf *field, struct err_detail *why)
{
	uint8_t hash[DKIM_HASH], signature[DKIM_SIGNATURE_MAX];
	EVP_MD_CTX *ctx;
	struct fold fold;
	size_t len;

	fold_init(&fold, field);
	if (write_tags(&fold, signer, common) != OK)
		return err_set(why, ERR_LIMIT, "too many header fields to name them in h=");
	ctx = EVP_MD_CTX_new();
	must(ctx && EVP_MD_CTX_copy_ex(ctx, common->fields) == 1);
	canonical_field(field->data, field->len, false, hash_add, ctx);
	hash_end(ctx, hash);
	EVP_MD_CTX_free(ctx);
	if (dkim_key_sign(signer->key, hash, signature, &len, why) != OK)
		return ERR_IO;
	if (write_signature(&fold, signature, len) != OK)
		return err_set(why, ERR_LIMIT, "too many header fields to name them in h=");
	return OK;
}

static enum err sign_all(
    const struct dkim_signer *signers, size_t count, const struct common *common, struct buf *out, struct err_detail *why)
{
	size_t before = out->len;
	enum err err = OK;
	struct buf field;

	buf_init(&field, DKIM_FIELD_MAX);
	for (size_t i = 0; i < count && err == OK; i++) {
		buf_reset(&field);
		err = sign_one(&signers[i], common, &field, why);
		if (err == OK && buf_add(out, field.data, field.len) != OK)
			err = err_set(why, ERR_LIMIT, "no room for %zu signatures", count);
	}
	buf_fini(&field);
	if (err != OK)
		out->len = before;
	return err;
}

enum err dkim_finish(
    struct dkim *dkim, const struct dkim_signer *signers, size_t count, wall_ms now, struct buf *out, struct err_detail *why)
{
	const char *names[NAMES_MAX];
	struct common common = { .names = names, .now = now };
	char author[AUTHOR_DOMAIN];
	uint8_t hash[DKIM_HASH];
	enum err err;

	if (dkim_author(dkim, author, why) == ERR_INVALID)
		return ERR_INVALID;
	find_fields(dkim);
	common.name_count = choose_names(dkim, names);
	if (common.name_count == 0 || dkim->field_count > FIELDS_MAX)
		return err_set(why, ERR_LIMIT, "too many header fields");
	dkim_body_hash(dkim, hash);
	(void)EVP_EncodeBlock((unsigned char *)common.body_hash, hash, DKIM_HASH);
	common.fields = hash_begin();
	hash_fields(dkim, names, common.name_count, common.fields);
	err = sign_all(signers, count, &common, out, why);
	EVP_MD_CTX_free(common.fields);
	return err;
}
