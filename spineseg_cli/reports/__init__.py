"""Reports to look at: pictures of results, and the page that shows them."""
