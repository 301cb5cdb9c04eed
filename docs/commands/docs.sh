make docs     # strict; the site is build/site/index.html
