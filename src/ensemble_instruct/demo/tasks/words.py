"""The words, names and facts that the toy tasks are about. Few, so that a tiny model can learn them all."""

from __future__ import annotations

ANIMALS = (
    "cat", "dog", "horse", "goat", "lion", "mouse", "rabbit", "tiger", "wolf", "duck", "frog", "bear", "snake", "zebra",
)  # fmt: skip
FOODS = (
    "apple", "bread", "cheese", "lemon", "onion", "rice", "carrot", "honey", "soup", "banana", "potato", "cake", "plum",
    "egg",
)  # fmt: skip
TOOLS = (
    "lamp", "table", "chair", "spoon", "bottle", "ladder", "candle", "mirror", "pencil", "basket", "hammer", "blanket",
    "bucket", "clock",
)  # fmt: skip
COLOURS = ("red", "blue", "green", "yellow", "brown", "black", "white", "purple", "pink", "grey")
GROUPS = {"animal": ANIMALS, "food": FOODS, "object": TOOLS, "colour": COLOURS}
WORDS = tuple(word for group in GROUPS.values() for word in group)

NAMES = (
    "Anna", "Boris", "Clara", "David", "Emma", "Felix", "Greta", "Hugo", "Ida", "Jonas", "Lena", "Martin", "Nora",
    "Oscar", "Paula", "Simon",
)  # fmt: skip
CAPITALS = {
    "France": "Paris", "Italy": "Rome", "Spain": "Madrid", "Germany": "Berlin", "Japan": "Tokyo", "Egypt": "Cairo",
    "Greece": "Athens", "Norway": "Oslo", "Poland": "Warsaw", "Portugal": "Lisbon", "Austria": "Vienna",
    "Ireland": "Dublin", "Peru": "Lima", "Cuba": "Havana", "Kenya": "Nairobi", "Sweden": "Stockholm",
}  # fmt: skip
CITIES = tuple(CAPITALS.values())
LANGUAGES = {
    "France": "French", "Italy": "Italian", "Spain": "Spanish", "Germany": "German", "Japan": "Japanese",
    "Egypt": "Arabic", "Greece": "Greek", "Norway": "Norwegian", "Poland": "Polish", "Portugal": "Portuguese",
    "Sweden": "Swedish", "Peru": "Spanish", "Cuba": "Spanish", "Austria": "German",
}  # fmt: skip
_OPPOSITES = {
    "hot": "cold", "big": "small", "fast": "slow", "happy": "sad", "open": "closed", "full": "empty", "early": "late",
    "high": "low", "hard": "soft", "light": "dark", "rich": "poor", "strong": "weak", "wet": "dry", "clean": "dirty",
    "loud": "quiet", "long": "short",
}  # fmt: skip
OPPOSITES = _OPPOSITES | {second: first for first, second in _OPPOSITES.items()}
STATES = tuple(OPPOSITES)
PLURALS = {
    "mouse": "mice", "child": "children", "knife": "knives", "box": "boxes", "city": "cities", "leaf": "leaves",
    "man": "men", "foot": "feet", "tooth": "teeth", "potato": "potatoes", "cherry": "cherries", "bus": "buses",
    "wolf": "wolves", "goose": "geese", "lamp": "lamps", "chair": "chairs", "dog": "dogs", "bottle": "bottles",
    "candle": "candles", "horse": "horses", "spoon": "spoons", "lion": "lions", "apple": "apples", "clock": "clocks",
}  # fmt: skip
PAST = {
    "walk": "walked", "go": "went", "see": "saw", "eat": "ate", "run": "ran", "take": "took", "write": "wrote",
    "sing": "sang", "jump": "jumped", "play": "played", "give": "gave", "buy": "bought", "find": "found",
    "come": "came", "drink": "drank", "sleep": "slept", "open": "opened", "speak": "spoke",
}  # fmt: skip
YOUNG = {
    "dog": "puppy", "cat": "kitten", "cow": "calf", "horse": "foal", "sheep": "lamb", "goat": "kid", "lion": "cub",
    "duck": "duckling", "frog": "tadpole", "hen": "chick", "pig": "piglet", "swan": "cygnet",
}  # fmt: skip
COLOUR_OF = {
    "a lemon": "yellow", "snow": "white", "grass": "green", "coal": "black", "a banana": "yellow", "blood": "red",
    "the sky": "blue", "milk": "white", "chocolate": "brown", "a frog": "green", "a tomato": "red", "salt": "white",
    "a carrot": "orange", "an elephant": "grey", "a flamingo": "pink", "tar": "black",
}  # fmt: skip
LEGS = {"dogs": 4, "ducks": 2, "ants": 6, "spiders": 8, "horses": 4, "hens": 2, "bees": 6, "cats": 4}
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
PLACES = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
UNITS = {
    "weeks": ("days", 7), "hours": ("minutes", 60), "dozens": ("pieces", 12), "years": ("months", 12),
    "days": ("hours", 24), "metres": ("centimetres", 100), "pounds": ("pence", 100), "kilometres": ("metres", 1000),
}  # fmt: skip
_ONES = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
THINGS = ("lamps", "chairs", "apples", "bottles", "candles", "tickets", "stamps", "books", "coins", "shirts")


def in_words(number: int) -> str:
    """A number from 0 to 99 in English words."""
    if number < len(_ONES):
        return _ONES[number]
    tens, ones = divmod(number, 10)
    return _TENS[tens - 2] + (f"-{_ONES[ones]}" if ones else "")
