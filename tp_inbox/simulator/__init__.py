"""A Twilio of one's own: REST API, carrier and family phones on this machine, for demonstrations and tests.

It imports nothing of the product and nothing of Twilio's library, so that it can be wrong only on its own account.

/                                   the Phones page
/2010-04-01/Accounts/{AC}/...       Messages, Media, AvailablePhoneNumbers, IncomingPhoneNumbers, the account
/v1/Services/...                    Messaging Services, their numbers and their campaigns
PUT  /simulator/phones              [{number, label, language}]: who the family phones belong to
GET  /simulator/phones              all phones, with what is unread
GET  /simulator/phones/{n}/texts    one phone and its last texts
POST /simulator/phones/{n}/read     somebody looked at it
POST /simulator/inbound             {from, to, body, media}: a family writes; answers when the webhook has
POST /simulator/calls               {from, to}: a family calls; answers with what is heard, and who is put through
GET  /simulator/faults              what goes wrong at present, and how often each fault has struck
PUT  /simulator/faults              from now on exactly these (faults.py says which there are); DELETE: none
DELETE /simulator/numbers/{n}       a number of the district is gone, as if released in Twilio's console
PUT  /simulator/services/{sid}/campaign  {status}: what the US carriers have registered of a Messaging Service
GET  /simulator/events              Server-Sent Events: hello, text, phones, read, trouble
GET  /health

It sells 555-0100 to 555-0129 of every area code. Family phones work from 555-0130 to 555-0195; texts to 0196 end
undelivered with 30003, to 0197 with 30006 (landline), to 0198 with 30007 (filtered), and 0199 is refused with 21211.
"""

from .app import create_app
from .config import Delays, SimulatorConfig
from .serve import run

__all__ = ["Delays", "SimulatorConfig", "create_app", "run"]
