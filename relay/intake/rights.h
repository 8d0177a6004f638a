/* relay/intake/rights.h - what a tenant may: as whom, how much, how many. Pure. */
#ifndef INTAKE_RIGHTS_H
#define INTAKE_RIGHTS_H

#include "conf/conf.h"
#include "relay/wire/address.h"

/* What becomes of mail with this envelope sender. The null reverse-path belongs to nobody, so everybody may use it. tenant NULL: ALLOW, for its
 * recipients will be refused. */
enum conf_others rights_of_sender(const struct conf_tenant *tenant, const struct address *sender);

/* The largest message and the most recipients of one; tenant NULL: as for all. */
uint64_t rights_message_bytes(const struct conf *conf, const struct conf_tenant *tenant);
uint32_t rights_recipients(const struct conf *conf, const struct conf_tenant *tenant);

/* The MT-PRIORITY (RFC 6710) that a message gets which asks for `asked`: 0, its tenant's own class, where the tenant may not raise it. */
int8_t rights_priority(const struct conf_tenant *tenant, int8_t asked);

#endif
