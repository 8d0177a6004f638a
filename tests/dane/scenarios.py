"""tests/dane/scenarios.py - the destinations of tests/dane/run, each with what is to become of its mail."""


class Destination:
    """One domain and what is to happen to its mail.

    where    zone of the domain and of its MX host mx-NAME
    cert     names of the certificate (ME: the MX host); None: no TLS at all
    chain    what is sent behind it: of the intermediate authority and the root
    dates    of its validity: now, past, future
    sni      certificate that SNI with the host's name chooses: me (then others get "other"), other
    tlsa     records: "usage selector matching" and of whom: me, ca, intermediate, other, or hex:DATA
    spoilt   the records are changed after they were signed
    zone     records of the zone _tcp.HOST, which is a zone of its own, unsigned
    want     "dane 3 1 1", "ca": delivered and verified so; "tls", "clear": delivered without; else words of the deferral
    """

    def __init__(self, name, want, where="signed.test", cert=("ME",), tlsa=(), offer="yes", dates="now", extra="", host=None, domain=None,
                 sender="127.0.0.1", route=None, address=True, issuer="ca", chain=("ca",), sni=None, spoilt=False, zone=None, subject_only=False):
        self.name, self.want, self.where, self.offer, self.extra, self.sender, self.route = name, want, where, offer, extra, sender, route
        self.host = host or "mx-%s.%s" % (name, where)
        self.domain = domain or "%s.%s" % (name, where)
        self.cert, self.tlsa, self.dates, self.with_address = cert, tlsa, dates, address
        self.issuer, self.chain, self.sni, self.spoilt, self.zone, self.subject_only = issuer, chain, sni, spoilt, zone, subject_only
        self.receiver = None


def destinations():
    D = Destination
    return [
        D("match-3-1-1", "dane 3 1 1", tlsa=["3 1 1 me"]),
        D("match-3-0-1", "dane 3 0 1", tlsa=["3 0 1 me"]),
        D("match-3-1-2", "dane 3 1 2", tlsa=["3 1 2 me"]),
        D("match-3-0-0", "dane 3 0 0", tlsa=["3 0 0 me"]),
        D("match-2-1-1", "dane 2 1 1", tlsa=["2 1 1 ca"]),
        D("match-2-0-1", "dane 2 0 1", tlsa=["2 0 1 ca"]),
        D("roll-over", "dane 3 1 1", tlsa=["3 1 1 other", "3 1 1 me"]),
        D("roll-over-to-another-authority", "dane 2 1 1", tlsa=["3 1 1 other", "2 1 1 ca"]),
        D("mismatch", "no matching DANE TLSA records", tlsa=["3 1 1 other"]),
        D("mismatch-of-two", "no matching DANE TLSA records", tlsa=["3 1 1 other", "2 0 1 other"]),
        D("expired-under-3-1-1", "dane 3 1 1", tlsa=["3 1 1 me"], dates="past"),
        D("expired-under-2-1-1", "certificate has expired", tlsa=["2 1 1 ca"], dates="past"),
        D("other-name-under-3-1-1", "dane 3 1 1", tlsa=["3 1 1 me"], cert=["other.example"]),
        D("other-name-under-2-1-1", "hostname mismatch", tlsa=["2 1 1 ca"], cert=["other.example"]),
        D("domain-name-under-2-1-1", "dane 2 1 1", tlsa=["2 1 1 ca"], cert=["domain-name-under-2-1-1.signed.test"]),
        D("no-starttls", "does not offer STARTTLS", tlsa=["3 1 1 me"], offer="no"),
        D("starttls-refused", "refuses STARTTLS", tlsa=["3 1 1 me"], offer="refuse"),
        D("handshake-breaks", "TLS handshake failed", tlsa=["3 1 1 me"], offer="broken"),
        D("unusable-usage-1", "tls", tlsa=["1 1 1 other"]),
        D("unusable-matching-type", "tls", tlsa=["3 1 7 other"]),
        D("unusable-beside-a-good-one", "dane 3 1 1", tlsa=["1 1 1 other", "3 1 1 me"]),
        D("unusable-without-starttls", "does not offer STARTTLS", tlsa=["1 1 1 other"], offer="no"),
        D("secure-without-tlsa", "tls", cert=["other.example"]),
        D("secure-without-tls", "clear", cert=None, offer="no"),
        D("alias", "dane 3 1 1", cert=["real-alias.signed.test"], host="real-alias.signed.test", tlsa=["3 1 1 me"],
          extra="mx-alias CNAME real-alias"),
        D("alias-with-own-records", "dane 3 1 1", cert=["x"], host="real-own.signed.test",
          extra="mx-alias-with-own-records CNAME real-own\n_{port}._tcp.mx-alias-with-own-records TLSA 3 1 1 {me}"),
        D("alias-to-insecure", "dane 3 1 1", cert=["x"], host="real-insecure.plain.test", address=False,
          extra="mx-alias-to-insecure CNAME real-insecure.plain.test.\n_{port}._tcp.mx-alias-to-insecure TLSA 3 1 1 {me}"),
        D("records-behind-an-alias", "dane 3 1 1", extra="_{port}._tcp.mx-records-behind-an-alias CNAME shared\nshared TLSA 3 1 1 {me}"),
        D("tlsa-server-failure", "it cannot be told", extra="_tcp.mx-tlsa-server-failure NS ns"),
        D("bogus-zone", "DNSSEC validation failed", where="bogus.test"),
        D("bogus-address", "DNSSEC validation failed", host="mx-bogus-zone.bogus.test", address=False),
        D("insecure-delegation", "tls", where="sub.signed.test", tlsa=["3 1 1 other"]),
        D("insecure-zone", "tls", where="plain.test", tlsa=["3 1 1 other"]),
        D("insecure-mx-to-secure-host", "tls", where="plain.test", host="mx-insecure-mx-to-secure-host.signed.test", tlsa=["3 1 1 other"]),
        D("match-3-1-0", "dane 3 1 0", tlsa=["3 1 0 me"]),
        D("match-3-0-2", "dane 3 0 2", tlsa=["3 0 2 me"]),
        D("match-2-1-2", "dane 2 1 2", tlsa=["2 1 2 ca"]),
        D("match-2-0-2", "dane 2 0 2", tlsa=["2 0 2 ca"]),
        D("match-2-0-0", "dane 2 0 0", tlsa=["2 0 0 ca"]),
        D("match-2-1-0", "dane 2 1 0", tlsa=["2 1 0 ca"]),
        D("intermediate-2-0-1", "dane 2 0 1", issuer="intermediate", chain=["intermediate"], tlsa=["2 0 1 intermediate"]),
        D("root-behind-an-intermediate", "dane 2 1 1", issuer="intermediate", chain=["intermediate", "ca"], tlsa=["2 1 1 ca"]),
        D("authority-is-not-sent", "no matching DANE TLSA records", chain=[], tlsa=["2 0 1 ca"]),
        D("authority-key-is-not-sent", "no matching DANE TLSA records", chain=[], tlsa=["2 1 1 ca"]),
        D("authority-is-published-and-not-sent", "dane 2 0 0", chain=[], tlsa=["2 0 0 ca"]),
        D("authority-key-is-published-and-not-sent", "dane 2 1 0", chain=[], tlsa=["2 1 0 ca"]),
        D("root-of-an-intermediate-is-not-sent", "no matching DANE TLSA records", issuer="intermediate", chain=["intermediate"], tlsa=["2 0 1 ca"]),
        D("own-certificate-under-2-0-1", "no matching DANE TLSA records", tlsa=["2 0 1 me"]),
        D("authority-under-3-0-1", "no matching DANE TLSA records", tlsa=["3 0 1 ca"]),
        D("unusable-usage-0", "tls", tlsa=["0 0 1 ca"]),
        D("unusable-usage-1-of-the-right-key", "tls", tlsa=["1 1 1 me"]),
        D("unusable-usage-255", "tls", tlsa=["255 1 1 me"]),
        D("unusable-selector", "tls", tlsa=["3 2 1 other"]),
        D("unusable-length", "tls", tlsa=["3 1 1 hex:00112233"]),
        D("unusable-certificate", "tls", tlsa=["2 0 0 hex:3003020101"]),
        D("unusable-usages-beside-a-wrong-one", "no matching DANE TLSA records", tlsa=["0 0 1 ca", "1 1 1 me", "3 1 1 other"]),
        D("unusable-matching-type-beside-a-wrong-one", "no matching DANE TLSA records", tlsa=["3 1 7 me", "3 1 1 other"]),
        D("unusable-matching-type-beside-a-good-one", "dane 2 1 1", tlsa=["3 1 7 me", "2 1 1 ca"]),
        D("the-stronger-digest-counts", "dane 3 1 2", tlsa=["3 1 1 other", "3 1 2 me"]),
        D("the-weaker-digest-does-not", "no matching DANE TLSA records", tlsa=["3 1 1 me", "3 1 2 other"]),
        D("wildcard-name-under-2-1-1", "dane 2 1 1", tlsa=["2 1 1 ca"], cert=["*.signed.test"]),
        D("wildcard-of-two-labels-under-2-1-1", "hostname mismatch", tlsa=["2 1 1 ca"], cert=["*.test"]),
        D("name-in-the-subject-alone-under-2-1-1", "dane 2 1 1", tlsa=["2 1 1 ca"], subject_only=True),
        D("future-under-3-1-1", "dane 3 1 1", tlsa=["3 1 1 me"], dates="future"),
        D("future-under-2-1-1", "certificate is not yet valid", tlsa=["2 1 1 ca"], dates="future"),
        D("sni-chooses-the-right-certificate", "dane 3 1 1", tlsa=["3 1 1 me"], sni="me"),
        D("sni-chooses-the-right-name", "dane 2 1 1", tlsa=["2 1 1 ca"], sni="me"),
        D("sni-chooses-a-wrong-certificate", "no matching DANE TLSA records", tlsa=["3 1 1 me"], sni="other"),
        D("insecure-mx-to-a-host-that-matches", "tls", where="plain.test", host="mx-insecure-mx-to-a-host-that-matches.signed.test", tlsa=["3 1 1 me"]),
        D("secure-mx-to-an-insecure-host", "tls", host="mx-secure-mx-to-an-insecure-host.plain.test", tlsa=["3 1 1 other"]),
        D("bogus-records", "it cannot be told", tlsa=["3 1 1 me"], spoilt=True),
        D("records-denied-by-an-unsigned-zone", "tls", zone=""),
        D("records-in-an-unsigned-zone", "tls", zone="_{port} TLSA 3 1 1 {other}"),
        D("records-behind-an-alias-to-an-unsigned-zone", "tls", extra="_{port}._tcp.mx-records-behind-an-alias-to-an-unsigned-zone CNAME shared.plain.test."),
        D("records-denied-without-starttls", "clear", zone="", offer="no"),
        D("implicit-mx", "dane 3 1 1", host="implicit-mx.signed.test", tlsa=["3 1 1 me"]),
        D("route-to-a-secure-name", "dane 3 1 1", tlsa=["3 1 1 me"], route="{host}:{port}", domain="route.example"),
        D("route-that-wants-no-tls", "clear", route="{host}:{port}, tls: none", domain="none.example"),
        D("route-verified", "ca", where="plain.test", route="{host}:{port}, tls: verified", domain="verified.example"),
        D("route-verified-other-name", "hostname mismatch", where="plain.test", cert=["other.example"], domain="name.example",
          route="{host}:{port}, tls: verified"),
        D("route-verified-expired", "certificate has expired", where="plain.test", dates="past", domain="old.example",
          route="{host}:{port}, tls: verified"),
        D("route-required", "does not offer STARTTLS", where="plain.test", offer="no", route="{host}:{port}, tls: required",
          domain="required.example"),
        D("provider", "ca", where="plain.test"),
        D("opportunistic-broken", "clear", where="plain.test", offer="broken"),
        D("opportunistic-none", "clear", where="plain.test", offer="no"),
        D("tenant-required", "tls", where="plain.test", sender="127.200.0.1"),
        D("tenant-required-none", "does not offer STARTTLS", where="plain.test", offer="no", sender="127.200.0.1"),
        D("tenant-required-broken", "TLS handshake failed", where="plain.test", offer="broken", sender="127.200.0.1"),
    ]
