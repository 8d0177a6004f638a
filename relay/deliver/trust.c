/* relay/deliver/trust.c - how much TLS a delivery needs on its way to a host. */
#include "relay/deliver/trust.h"

enum conf_tls_level trust_level(const struct conf *conf, const char *domain, const struct conf_route *to, const char *const *hosts,
    size_t count)
{
	const struct conf_provider *provider;

	if (to && to->tls != TLS_LEVEL_UNSET)
		return to->tls;
	provider = conf_provider_by_domain(conf, domain);
	if (!provider && count > 0)
		provider = conf_provider_by_mx(conf, hosts, count);
	return provider && provider->tls != TLS_LEVEL_UNSET ? provider->tls : conf->delivery.tls;
}

bool trust_wants_tlsa(const struct conf *conf, enum conf_tls_level level)
{
	if (level == TLS_LEVEL_DANE)
		return true;
	for (size_t i = 0; i < conf->tenant_count; i++)
		if (conf->tenants[i].tls == TLS_LEVEL_DANE)
			return true;
	return false;
}

enum conf_tls_level trust_tenant_level(const struct conf *conf, const char *tenant)
{
	const struct conf_tenant *found = conf_tenant_find(conf, tenant);

	return found ? found->tls : TLS_LEVEL_NONE;
}

/* dane is opportunistic where there are no records. */
static enum conf_tls_level without_dane(enum conf_tls_level level)
{
	return level == TLS_LEVEL_DANE ? TLS_LEVEL_OPPORTUNISTIC : level;
}

static void demand_dane(struct trust *out, const struct dane *dane)
{
	out->tls = out->required = true;
	out->demand = "DANE: the domain has TLSA records";
	if (tlsa_any_usable(dane->tlsa, dane->tlsa_count))
		out->auth = TLS_AUTH_DANE;
}

void trust_decide(struct trust *out, enum conf_tls_level level, enum conf_tls_level tenant, const struct route_host *host)
{
	enum conf_tls_level least = without_dane(level) > without_dane(tenant) ? without_dane(level) : without_dane(tenant);

	*out = (struct trust){
		.tls = least > TLS_LEVEL_NONE,
		.required = least >= TLS_LEVEL_REQUIRED,
		.auth = least == TLS_LEVEL_VERIFIED ? TLS_AUTH_CA : TLS_AUTH_NONE,
		.demand = least == TLS_LEVEL_VERIFIED ? "tls: verified" : "tls: required",
	};
	if (level != TLS_LEVEL_DANE && tenant != TLS_LEVEL_DANE)
		return;
	if (host->dane.status == DANE_FAILED)
		out->unreachable = true;
	else if (host->dane.status == DANE_FOUND)
		demand_dane(out, &host->dane);
}

bool trust_is_met(const struct trust *trust, bool secure, bool verified)
{
	return !trust->unreachable && (secure || !trust->required) && (verified || trust->auth == TLS_AUTH_NONE);
}
