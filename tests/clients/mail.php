<?php
// tests/clients/mail.php - PHP's mail() with what the environment tells; sendmail_path comes from the php.ini of the recipe.
$fields = [
	'From' => getenv('SENDER'),
	'MIME-Version' => '1.0',
	'Content-Type' => 'text/plain; charset=utf-8',
	'Content-Transfer-Encoding' => '8bit',
];
// A word of RFC 2047 holds 75 characters at most and whole UTF-8 sequences.
$words = array_map(fn ($part) => '=?UTF-8?B?' . base64_encode($part) . '?=', preg_split('/(?<=^|\G)(.{1,15})/us', getenv('SUBJECT'), -1,
	PREG_SPLIT_DELIM_CAPTURE | PREG_SPLIT_NO_EMPTY));
$subject = implode("\r\n ", $words);
exit(mail(getenv('RCPT'), $subject, getenv('TEXT'), $fields) ? 0 : 1);
