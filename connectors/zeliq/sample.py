"""Answers as they usually look, of somebody made up: kept answers take less room by them.

A change harms nothing: what was kept stays readable.
"""

SAMPLE = (
    b'"most_probable_email_status":"catch-all","invalid","unknown","most_probable_email":null,"emails":[]}}'
    b'{"credit_used":0,"contact":{"linkedin_url":"https://www.linkedin.com/in/","email":"ada@example.com",'
    b'"first_name":"","last_name":"","linkedin_url":"","most_probable_phone":"+1","phones":[{"phone":"+1"}]}}'
    b'{"credit_used":1,"contact":{"first_name":"","last_name":"","domain":"example.com",'
    b'"linkedin_url":"https://www.linkedin.com/in/","most_probable_email":"ada@example.com",'
    b'"most_probable_email_status":"safe to send","emails":[{"email":"ada@example.com","status":"safe to send"}]}}'
)
