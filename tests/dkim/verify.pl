#!/usr/bin/perl
# tests/dkim/verify.pl - what Mail::DKIM finds in messages: "FILE SELECTOR ALGORITHM RESULT" for each signature.
#
# usage: verify.pl DNS-PORT FILE...      the records are asked of 127.0.0.1
use strict;
use warnings;
use Mail::DKIM::DNS;
use Mail::DKIM::Verifier;
use Net::DNS::Resolver;

my $port = shift @ARGV;
Mail::DKIM::DNS::resolver(Net::DNS::Resolver->new(nameservers => ['127.0.0.1'], port => $port, recurse => 0, retry => 2));
for my $file (@ARGV) {
	my $verifier = Mail::DKIM::Verifier->new;
	open(my $in, '<:raw', $file) or die "$file: $!\n";
	local $/;
	$verifier->PRINT(scalar <$in>);
	$verifier->CLOSE;
	print join(' ', $file, $_->selector, $_->algorithm, $_->result), "\n" for $verifier->signatures;
}
