-- An archive holds what one document has room for (`publish::archive`). Months that were closed with more are closed again, in
-- parts, and so is what follows them.
DELETE FROM archive WHERE until >= (
    SELECT min(large.until) FROM archive AS large WHERE large.output = archive.output AND 6710886 < (
        SELECT total(text_length) FROM story JOIN entry ON entry.id = canonical
        WHERE sort_at < large.until AND sort_at >= coalesce(
            (SELECT max(before.until) FROM archive AS before WHERE before.output = large.output AND before.until < large.until),
            (SELECT min(sort_at) FROM story))));
