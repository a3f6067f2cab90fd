-- A hub goes on calling the address that it was told: where that is another than readers know us by now, it is asked anew.

ALTER TABLE hub_subscription ADD COLUMN public_url TEXT; -- what the callback stands below; NULL: the hub was never asked, or by an older newsfold
