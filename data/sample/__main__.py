"""Write the bundled sample into a folder."""

from data.sample.corpus import main

if __name__ == "__main__":
    main()
