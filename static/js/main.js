// Everything works without this file. Each module improves one thing and knows nothing of the others.
import "./autosave.js";
import "./autosubmit.js";
import "./copy.js";
import "./dialog.js";
import "./focus.js";
import "./menu.js";
import "./offline.js";
import "./rows.js";
import "./theme.js";
import "./tick.js";
import "./timer.js";
import "./unsaved.js";
