/* relay/deliver/sts_policy.h - MTA-STS as text: the TXT record, the policy, its patterns (RFC 8461 section 3). Pure. */
#ifndef DELIVER_STS_POLICY_H
#define DELIVER_STS_POLICY_H

#include "base/buf.h"
#include "base/clock.h"

#define STS_ID_MAX      32              /* characters of an id */
#define STS_TEXT_MAX    65536           /* bytes of a policy as it is fetched */
#define STS_AGE_MAX     31557600        /* seconds; a larger max_age counts as this */
#define STS_MX_MAX      200             /* patterns of one policy */
#define STS_MX_TEXT_MAX 16384           /* bytes of all patterns */

enum sts_mode { STS_NONE, STS_TESTING, STS_ENFORCE };
/* As policies write it. */
const char *sts_mode_name(enum sts_mode mode);

struct sts_policy {
	enum sts_mode mode;
	uint32_t max_age;   /* seconds */
	char **mx;          /* patterns, lower case */
	size_t mx_count;
};

/* The id of the only record that begins with "v=STSv1"; false: there is not exactly one, or it is malformed (section 3.1): no policy. */
bool sts_record_id(char *const *txt, size_t count, char id_out[STS_ID_MAX + 1]);

/* Read a policy (section 3.2). ERR_INVALID with what is wrong, `out` is empty then. Free with sts_policy_fini. */
MUST_USE enum err sts_policy_parse(const char *text, size_t len, struct sts_policy *out, struct err_detail *why);
void sts_policy_fini(struct sts_policy *policy);

/* Is the media type of a policy right (section 3.3: text/plain)? */
bool sts_type_is_right(const char *type);

/* May mail go to this host (section 4.1)? "*." stands for exactly one label. */
bool sts_policy_allows(const struct sts_policy *policy, const char *host);

#endif
