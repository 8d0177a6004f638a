"""tests/clients/django_mail.py - a message through Django's own SMTP backend, with the settings of a file.

usage: django_mail.py SETTINGS.py
"""
import os
import runpy
import sys

import django
from django.conf import settings
from django.core.mail import send_mail

settings.configure(**{key: value for key, value in runpy.run_path(sys.argv[1]).items() if key.isupper()})
django.setup()
sys.exit(send_mail(os.environ["SUBJECT"], os.environ["TEXT"], os.environ["SENDER"], [os.environ["RCPT"]]) != 1)
