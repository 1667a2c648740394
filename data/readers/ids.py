"""Which ids were used before, in less memory than the ids themselves take."""

from array import array

FREE = 0


class FirstUse:
    """The row that used an id first: a hash table of 12 bytes a place, 18 to 36 an id; a dict of texts takes 200.

    It keeps 64 bits of each id, salted anew in each process: of ten million ids two seem alike once in 400,000 starts.
    """

    def __init__(self):
        self.used = 0
        self.make(1 << 10)

    def make(self, places: int) -> None:
        self.keys, self.rows = array("Q", bytes(8 * places)), array("I", bytes(4 * places))

    def earlier(self, id: str, row: int) -> int | None:
        """The earlier row that has the same id; else the id counts as used in `row`."""
        key = hash(id) & (1 << 64) - 1 or 1
        place = self.place(key)
        if self.keys[place] == key:
            return self.rows[place]
        self.keys[place], self.rows[place] = key, row
        self.used += 1
        if 3 * self.used > 2 * len(self.keys):
            self.grow()
        return None

    def place(self, key: int) -> int:
        """Where the key is, or the free place where it belongs."""
        keys, last = self.keys, len(self.keys) - 1
        place = key & last
        while keys[place] != key and keys[place] != FREE:
            place = place + 1 & last
        return place

    def grow(self) -> None:
        keys, rows = self.keys, self.rows
        self.make(2 * len(keys))
        for key, row in zip(keys, rows, strict=True):
            if key != FREE:
                place = self.place(key)
                self.keys[place], self.rows[place] = key, row
