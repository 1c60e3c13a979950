"""syncd finds the e-mails and phones that a CRM lacks, and writes them back safely."""

__version__ = "0.2.0"
