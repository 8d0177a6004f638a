<?php
// tests/clients/phpmailer.php - PHPMailer as wp_mail() of WordPress drives it: plugins change the object on the action phpmailer_init.
// usage: php phpmailer.php PLUGIN.php
use PHPMailer\PHPMailer\PHPMailer;

require '/usr/share/php/libphp-phpmailer/autoload.php';

$actions = [];

function add_action(string $name, callable $function): void
{
	global $actions;
	$actions[$name][] = $function;
}

require $argv[1];

$mail = new PHPMailer(true);
$mail->isMail();
$mail->setFrom(getenv('SENDER'), 'WordPress', false);
$mail->addAddress(getenv('RCPT'));
$mail->Subject = getenv('SUBJECT');
$mail->Body = getenv('TEXT');
$mail->ContentType = 'text/plain';
$mail->CharSet = 'UTF-8';
foreach ($actions['phpmailer_init'] as $function) {
	$function($mail);
}
$mail->send();
