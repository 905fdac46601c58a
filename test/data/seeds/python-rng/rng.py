import random

low = int(input("lowest number: "))
high = int(input("highest number: "))
print(random.randint(low, high) if low <= high else "the lowest is above the highest")
