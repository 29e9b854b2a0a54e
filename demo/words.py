"""Who talks in the demo, and what they say."""

NAMES = [
    ("Ann Lee", "en"), ("Bo Nilsson", "sv"), ("Chiara Conti", "it"), ("김민지", "ko"), ("Dmitri Orlov", "ru"),
    ("Elif Kaya", "tr"), ("Femi Adeyemi", "en"), ("Greta Vogel", "de"), ("Hana Sato", "ja"), ("Inês Duarte", "pt-br"),
    ("이서준", "ko"), ("Joana Reis", "pt"), ("Karim Haddad", "fr"), ("ليلى منصور", "ar"), ("Mateo Cruz", "es"),
    ("Nora Bakker", "nl"), ("Oskar Lund", "sv"), ("박도윤", "ko"), ("Priya Nair", "en"), ("Quentin Roy", "fr"),
    ("Rosa Marin", "es"), ("Sven Falk", "de"), ("Tomás Silva", "pt-br"), ("Ubah Warsame", "en"),
]  # fmt: skip

# What a person asks, what the bot answers, and, where it does not know, what an operator says.
TALKS = [
    ("Where is my parcel?", "It was handed to the carrier yesterday and should arrive tomorrow.", ""),
    ("Do you ship to Jeju?", "We do. It takes one day longer and costs nothing extra.", ""),
    ("영업시간이 어떻게 되나요?", "평일 오전 9시부터 오후 6시까지입니다.", ""),
    ("Can I still change the address?", "I am not sure, I ask a colleague.", "Done: it goes to your new address."),
    ("The zip of the jacket is broken", "I am sorry! I ask a colleague.", "We send a new one today, keep the old one."),
    ("How do I return shoes?", "Put them in the box, stick the label on it, and hand it in at any shop.", ""),
    ("Is the blue one back in stock?", "From Thursday on. Shall I tell you when it is?", ""),
    ("I was charged twice", "That should not be. I ask a colleague.", "One of them was released; you see it tomorrow."),
    ("Gibt es die Lampe auch in Grün?", "Leider nur in Weiß und Schwarz.", ""),
    ("My code does not work", "Codes count once for each order. Is it a new order?", ""),
    ("사이즈 교환하고 싶어요", "확인하고 상담원을 연결해 드릴게요.", "교환 접수했습니다. 내일 수거하러 갑니다."),
    ("Thank you, that was quick!", "You are welcome.", ""),
    ("Are you open on Sunday?", "The shop is closed on Sundays; I am always here.", ""),
    ("I need an invoice with my company's name", "I ask a colleague.", "It is in your mail now."),
]  # fmt: skip

LATER = ["Great, thanks!", "Hm, are you sure?", "OK", "And how much is it?", "고마워요!", "Perfect.", "I see 👍"]
COMMENTS = [
    (5, "Quick and kind."), (5, ""), (4, "A human answered within a minute."), (4, ""), (5, "친절했어요!"),
    (3, "It took two tries."), (2, "I had to say everything twice."), (5, ""), (4, ""), (1, "Nobody was there."),
]  # fmt: skip
NOTES = ["Calls from the office line, prefers e-mail.", "VIP since spring.", "Second time with the same parcel."]
FAILURES = [
    ("failed", "Forbidden: bot was blocked by the user"), ("failed", "Bad Request: message is too long"),
    ("unknown", "The line broke in the middle of the call"), ("failed", "Forbidden: user is deactivated"),
]  # fmt: skip
TAGS = ["vip", "returns", "wholesale", "press"]
REPLIES = [
    ("hello", "Hello, how can I help?"), ("parcel", "Your parcel left our house today; the carrier has it."),
    ("return", "You find the label in your account, under Orders."), ("안녕", "안녕하세요, 무엇을 도와드릴까요?"),
]  # fmt: skip
ANNOUNCEMENTS = ["The shop is closed on Monday. Orders leave on Tuesday.", "Winter sale: all lamps, this week only."]

# Live: what somebody types, one line after the other.
SCRIPTS = [
    ["hello", "Where is my parcel?", "it was ordered on Monday", "thank you!"],
    ["Do you have the lamp in green?", "and in white?", "I want to talk to a human please"],
    ["안녕하세요", "배송은 얼마나 걸려요?", "상담원 연결해 주세요 human"],
    ["hi", "how do I return shoes", "ok great"],
    ["Is somebody there?", "human", "I was charged twice for order 4711"],
    ["Bonjour", "Livrez-vous en Belgique ?", "merci"],
]
