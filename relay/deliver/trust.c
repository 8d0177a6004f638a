/* relay/deliver/trust.c - how much TLS a delivery needs on its way to a host. */
#include "relay/deliver/trust.h"

#include <stdio.h>

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

bool trust_wants_sts(const struct conf *conf, enum conf_tls_level level)
{
	if (level >= TLS_LEVEL_DANE)
		return true;
	for (size_t i = 0; i < conf->tenant_count; i++)
		if (conf->tenants[i].tls >= TLS_LEVEL_DANE)
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

static void demand_sts(struct trust *out, const struct route_host *host)
{
	if (host->sts == STS_TESTING && out->auth == TLS_AUTH_NONE)
		out->check = out->host_only = true;
	if (host->sts != STS_ENFORCE)
		return;
	out->tls = out->required = out->host_only = true;
	out->excluded = !host->sts_allows;
	out->auth = TLS_AUTH_CA;
	out->demand = "MTA-STS: the policy of the domain is to be enforced";
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
	bool dane = level == TLS_LEVEL_DANE || tenant == TLS_LEVEL_DANE;

	if (dane && host->dane.status == DANE_FAILED)
		out->unreachable = true;
	else if (dane && host->dane.status == DANE_FOUND)
		demand_dane(out, &host->dane);
	if (out->auth != TLS_AUTH_DANE && (level >= TLS_LEVEL_DANE || tenant >= TLS_LEVEL_DANE))
		demand_sts(out, host);
}

void trust_require(struct trust *trust, const struct route *route, const struct route_host *host)
{
	bool sts = host->sts == STS_ENFORCE && host->sts_allows;

	trust->tls = trust->required = true;
	trust->unproven = !route->mx_secure && route->from_mx && !sts;
	if (trust->auth != TLS_AUTH_NONE)
		return;
	trust->auth = TLS_AUTH_CA;
	trust->host_only = route->from_mx;
	trust->check = false;
	trust->demand = "the message requires TLS all the way";
}

const char *trust_session_key(const struct trust *trust, const struct route_host *host, const char *relay, const char *source, char out[TRUST_KEY])
{
	bool dane = trust->auth == TLS_AUTH_DANE;

	(void)snprintf(out, TRUST_KEY, "%s|%s|%d%d%d|%llx|%s", relay, source, (int)trust->auth, trust->host_only, trust->check,
	    dane ? (unsigned long long)tlsa_set_hash(host->dane.tlsa, host->dane.tlsa_count) : 0ull, dane && host->dane.base ? host->dane.base : "");
	return out;
}

static size_t count_usable(const struct dane *dane)
{
	size_t usable = 0;

	for (size_t i = 0; i < dane->tlsa_count; i++)
		usable += tlsa_is_usable(&dane->tlsa[i]);
	return usable;
}

const char *trust_words(const struct trust *trust, const struct route_host *host, char out[TRUST_WORDS])
{
	if (trust->unreachable)
		(void)snprintf(out, TRUST_WORDS, "not used now: whether DANE binds it cannot be told: %s", host->dane.why);
	else if (trust->excluded)
		(void)snprintf(out, TRUST_WORDS, "not used: the domain's MTA-STS policy does not name it");
	else if (trust->auth == TLS_AUTH_DANE)
		(void)snprintf(out, TRUST_WORDS, "a must, authenticated by DANE (%zu TLSA records, %zu of use)", host->dane.tlsa_count, count_usable(&host->dane));
	else if (trust->auth == TLS_AUTH_CA)
		(void)snprintf(out, TRUST_WORDS, "a must, with a certificate that an authority vouches for (%s)", trust->demand);
	else if (trust->required)
		(void)snprintf(out, TRUST_WORDS, "a must, with any certificate (%s)%s", trust->demand,
		    host->dane.status == DANE_FOUND ? ", none of them of use" : "");
	else
		(void)snprintf(out, TRUST_WORDS, "%s", trust->tls ? "when it is offered, with any certificate" : "none");
	return out;
}

bool trust_is_met(const struct trust *trust, bool secure, bool verified)
{
	return !trust->unreachable && !trust->excluded && !trust->unproven && (secure || !trust->required) && (verified || trust->auth == TLS_AUTH_NONE);
}
