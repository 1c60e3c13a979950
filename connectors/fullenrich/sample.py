"""An answer about one contact as it usually looks, of somebody made up: kept answers take less room by it.

What all answers have stands last, where it costs least to refer to. A change harms nothing: what was kept stays
readable.
"""

SAMPLE = (
    b'"most_probable_personal_email":null,"personal_emails":[{"email":"ada@example.com","status":"HIGH_PROBABILITY"}]'
    b',"CATCH_ALL","INVALID","UNKNOWN","profile":{"id":"","full_name":"","first_name":"","last_name":"","headline":"",'
    b'"description":"","location":{"country":"United States","country_code":"US","city":"","region":""},'
    b'"social_profiles":{"professional_network":{"id":0,"url":"https://www.linkedin.com/in/","handle":"",'
    b'"connection_count":0}},"educations":[],"languages":[{"language":"English","proficiency":""}],"skills":[],'
    b'"employment":{"all":[],"current":{"title":"","seniority":"","job_functions":[],"description":"",'
    b'"company":{"name":"","domain":"","website":"https://www.","headcount":0,"headcount_range":"",'
    b'"industry":{"main_industry":""},"locations":{"headquarters":{"country":""},"offices":[]},"logo_url":"https://"},'
    b'"is_current":true,"start_at":"2024-01-01T00:00:00.000Z","end_at":null}}}'
    b'{"id":"","name":"syncd, 2026-01-01 00:00, Ada and 99 more","status":"FINISHED","cost":{"credits":0},"data":[{'
    b'"custom":{"attempt_id":"","batch_id":"","contact_id":"","connection":"salesforce","object":"Contact","object":"Lead"},'
    b'{"id":"","name":" and 99 more","status":"IN_PROGRESS","data":[{"custom":{"attempt_id":"","batch_id":"",'
    b'"contact_id":"","connection":"hubspot","object":"contacts"},"input":{"first_name":"","last_name":"",'
    b'"company_name":"","company_domain":"example.com","professional_network_url":"https://www.linkedin.com/in/"},'
    b'"contact_info":{"most_probable_work_email":{"email":"ada@example.com","status":"DELIVERABLE"},"work_emails":'
    b'[{"email":"ada@example.com","status":"DELIVERABLE"}],"most_probable_phone":{"number":"+1","region":"US"},'
    b'"phones":[{"number":"+1","region":"US"}]}}]}'
)
