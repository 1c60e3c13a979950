"""Words that people, companies and phone numbers of the population are made of. All of it is made up."""

from __future__ import annotations

FIRST = """
Anna Ben Chloé Dario Émilie Fatima Grégoire Hélène Ines Jonas Katarzyna Łukasz Maëlle Noor Oisín Priya Quentin Róisín
Søren Tomáš Ulrika Víctor Wanda Xenia Yusuf Zoë Alice Bruno Camille Dmitri Elif François Greta Hugo Ida João 小龙
"""
LAST = """
Abel Berger Castellan Démogé Eriksen Fontaine Grünwald Hartley Ionescu Jansen Kowalski Lefèvre Müller-Lüdenscheid Novák
O'Brien Papadaki Quill Rossi Şahin Tremblay Ullmann Varga Whitlock Xanthos Çelik Zeller D'Amico Nguyễn Æbel Moreau
Sandoval Thorne Keller Brandt Ferreira Okafor 李
"""
BRAND = """
Amber Birch Cobalt Delta Ember Falcon Granite Harbour Indigo Juniper Kestrel Lumen Meadow Nimbus Orchard Pebble Quartz
Raven Saffron Tundra Umbra Velvet Willow Yarrow Zephyr
"""
TRADE = """
Analytics Bakeries Consulting Dynamics Energy Foods Games Holdings Instruments Labs Logistics Media Robotics
"""
TITLE = ("Head of Sales", "Account Executive", "CFO", "Office Manager", "Développeuse", "Buyer", "Founder", "Engineer")

# Area codes for +1 NXX 555 0100 to 0199, the lines that North America reserves for fiction.
AREAS = """
201 202 203 205 206 207 208 209 210 212 213 214 215 216 217 218 219 224 225 228 229 231 234 239 240 248 251 252 253 254
256 260 262 267 269 270 276 281 301 302 303 304 305 307 308 309 310 312 313 314 315 316 317 318 319 320 321 323 325 330
331 334 336 337 339 347 351 352 360 361 386 401 402 404 405 406 407 408 409 410 412 413 414 415 417 419 423 424 425 430
432 434 435 440 443 469 478 479 480 484 501 502 503 504 505 507 508 509 510 512 513 515 516 517 518 520
"""

# --- words of the cases in `people.Case` ---

# Providers of mailboxes, which are nobody's employer. What stands before the @ is made up so that nobody has it.
MAILBOX_HOSTS = (
    *("sfr.fr", "hotmail.fr", "gmx.at", "bluewin.ch", "libero.it", "comcast.net"),
    *("btinternet.com", "mail.ru", "naver.com", "uol.com.br", "skynet.be", "online.no"),
)
# What forms and people fill in where a company is asked for and there is none.
PLACEHOLDERS = (
    *("[not provided]", "Self-employed", "Freelance", "Indépendant", "N/A", "-"),
    *("Confidential", "Student", "Unknown", "[[Unknown]]"),
)
# Websites of two people at one host that many share; which page it is tells nothing of an employer.
SHARED_SITES = (
    ("https://pl.linkedin.com/company/alpha", "https://pl.linkedin.com/company/beta"),
    ("https://fr-fr.facebook.com/alpha", "https://fr-fr.facebook.com/beta"),
    ("sites.google.com/view/alpha", "sites.google.com/view/beta"),
    ("linktr.ee/alpha", "linktr.ee/beta"),
)
# First names: in the CRM, at the vendors.
NICKNAMES = (
    ("Bob", "Robert"),
    ("Bill", "William"),
    ("Liz", "Elizabeth"),
    ("Mohammed", "Muhammad"),
    ("Aleksandr", "Alexander"),
    ("Manuel", "Emmanuel"),
)
# First and last names: in the CRM, at the vendors. Particles, joined and transliterated names.
PARTICLES = (
    (("Jan", "van den Berg"), ("Jan", "Vandenberg")),
    (("Nora", "O'Brien"), ("Nora", "OBrien")),
    (("Luz", "de la Cruz"), ("Luz", "Cruz")),
    (("Åse", "Nygård"), ("Aase", "Nygaard")),
    (("Mette", "Aagaard"), ("Mette", "Ågård")),
)
# First and last names: as typed in HubSpot, as typed in Salesforce.
SPELLINGS = (
    (("Sean", "O\u2019Brien"), ("Sean", "O'Brien")),
    (("Lucía", "García"), ("Lucia", "Garcia")),
    (("Jean\u2011Luc", "Fabre"), ("Jean-Luc", "Fabre")),
    (("Zoë", "D\u2019Amico"), ("Zoe", "D'Amico")),
)
# First name, last name and company of records that are about nobody.
FILLERS = (
    ("Test", "Test", "Test"),
    ("Unknown", "Unknown", "Unknown"),
    ("-", "-", "-"),
    ("N/A", "N/A", "N/A"),
    (".", ".", "Test"),
    ("visitor@example.com", "visitor@example.com", "Visitors"),
)
# Numbers that nobody can call, or that are no person's: zeros, premium rate, satellite, without an area code.
UNDIALABLE = ("+10000000000", "+33600000000", "+19005550123", "+33899700000", "+881612345678", "+15550143")
# Addresses that are no person's, or none at all; to be completed with the employer's domain.
UNUSABLE = ("info@{}", "no-reply@{}", "a***@{}", "email_not_unlocked@domain.com")
