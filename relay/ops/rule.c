/* relay/ops/rule.c - by which rule a recipient domain falls in its destination, in words. Pure. */
#include "relay/ops/rule.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define LINE       900
#define HOSTS_TOLD 8 /* more are counted */

bool rule_by_domain(const struct conf *conf, const char *domain, rule_line_fn fn, void *arg)
{
	const struct conf_route *route = conf_route_find(conf, domain);
	const struct conf_provider *provider = conf_provider_by_domain(conf, domain);
	char line[LINE];

	if (route) {
		(void)snprintf(line, sizeof(line), "goes to %s: routes names %s", route->to, route->domain);
		fn(arg, line);
	}
	if (!provider)
		return false;
	(void)snprintf(line, sizeof(line), "destination %s: the domain is in its list%s%s", provider->name, provider->closed ? "; closed: " : "",
	    provider->closed ? provider->closed : "");
	fn(arg, line);
	return true;
}

/* The longest of the provider's suffixes that `host` ends in at a border of labels; "" none. */
static const char *suffix_of(const struct conf_provider *provider, const char *host)
{
	const char *best = "";
	size_t len = strlen(host);

	for (size_t i = 0; i < provider->mx_count; i++) {
		const char *suffix = provider->mx[i];
		size_t n = strlen(suffix);

		if (n <= len && n > strlen(best) && strcasecmp(host + len - n, suffix) == 0 && (n == len || host[len - n - 1] == '.'))
			best = suffix;
	}
	return best;
}

/* "a, b and 3 more" */
static void join_hosts(const char *const *hosts, size_t count, char *out, size_t size)
{
	size_t told = count < HOSTS_TOLD ? count : HOSTS_TOLD, len = 0;

	out[0] = '\0';
	for (size_t i = 0; i < told && len < size; i++)
		len += (size_t)snprintf(out + len, size - len, "%s%s", i > 0 ? ", " : "", hosts[i]);
	if (count > told && len < size)
		(void)snprintf(out + len, size - len, " and %zu more", count - told);
}

/* Hosts of which not all are of one provider: the first that is of any; NULL: none. */
static const char *odd_one(const struct conf *conf, const char *const *hosts, size_t count, const struct conf_provider **provider_out)
{
	for (size_t i = 0; i < count; i++) {
		*provider_out = conf_provider_by_mx(conf, &hosts[i], 1);
		if (*provider_out)
			return hosts[i];
	}
	return NULL;
}

static const char *kind_of(const char *domain, const char *const *hosts, size_t count, bool from_mx)
{
	if (!from_mx)
		return "the host of its route";
	return count == 1 && strcasecmp(domain, hosts[0]) == 0 ? "its own address, for there is no MX" : "its own MX set";
}

void rule_by_hosts(const struct conf *conf, const char *domain, const char *const *hosts, size_t count, bool from_mx, rule_line_fn fn, void *arg)
{
	const struct conf_provider *provider = conf_provider_by_mx(conf, hosts, count), *some;
	char line[LINE], all[LINE - 300];
	const char *odd;

	if (provider) {
		(void)snprintf(line, sizeof(line), "destination %s: %s %s ends in %s%s", provider->name, from_mx ? "MX" : "the host of its route",
		    hosts[0], suffix_of(provider, hosts[0]), count > 1 ? ", and so do the others or in another suffix of it" : "");
		fn(arg, line);
		return;
	}
	join_hosts(hosts, count, all, sizeof(all));
	(void)snprintf(line, sizeof(line), "a destination by %s: %s", kind_of(domain, hosts, count, from_mx), all);
	fn(arg, line);
	odd = odd_one(conf, hosts, count, &some);
	if (!odd)
		return;
	(void)snprintf(line, sizeof(line), "not %s, of which %s is: the other hosts are not", some->name, odd);
	fn(arg, line);
}
