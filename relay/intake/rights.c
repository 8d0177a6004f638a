/* relay/intake/rights.c - what a tenant may: as whom, how much, how many. */
#include "relay/intake/rights.h"

#include "base/ascii.h"

enum conf_others rights_of_sender(const struct conf_tenant *tenant, const struct address *sender)
{
	if (tenant == NULL || tenant->domain_count == 0 || sender->text[0] == '\0')
		return OTHERS_ALLOW;
	for (size_t i = 0; i < tenant->domain_count; i++) {
		if (ascii_equal(tenant->domains[i], address_domain(sender)))
			return OTHERS_ALLOW;
	}
	return tenant->others_envelope;
}

uint64_t rights_message_bytes(const struct conf *conf, const struct conf_tenant *tenant)
{
	uint64_t most = conf->limits.message_bytes;

	return tenant != NULL && tenant->message_bytes > 0 && tenant->message_bytes < most ? tenant->message_bytes : most;
}

uint32_t rights_recipients(const struct conf *conf, const struct conf_tenant *tenant)
{
	uint32_t most = conf->limits.recipients;

	return tenant != NULL && tenant->recipients > 0 && tenant->recipients < most ? tenant->recipients : most;
}

int8_t rights_priority(const struct conf_tenant *tenant, int8_t asked)
{
	bool raises = tenant != NULL && asked > 0 && tenant->priority > PRIORITY_TRANSACTIONAL;

	return raises && !tenant->priority_raise ? 0 : asked;
}
