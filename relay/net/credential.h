/* relay/net/credential.h - passwords against what is stored of them: crypt(3) hashes and SCRAM verifiers. */
#ifndef NET_CREDENTIAL_H
#define NET_CREDENTIAL_H

#include "base/err.h"

#define CREDENTIAL_TAG 32

/* Whether `password` (at most 511 bytes) is the one of `stored`. Takes milliseconds: not on a loop. Any thread. */
MUST_USE bool credential_check(const char *stored, const char *password);

/* A name for user, stored hash and password together that tells nothing about them: a MAC under a key of this process. Any thread. */
void credential_tag(const char *user, const char *stored, const char *password, uint8_t tag[CREDENTIAL_TAG]);

/* Whether two tags are the same, in constant time. Pure. */
bool credential_tag_equal(const uint8_t a[CREDENTIAL_TAG], const uint8_t b[CREDENTIAL_TAG]);

#endif
